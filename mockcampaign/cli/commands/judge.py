"""`mockcampaign judge`: judges recorded journals without a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockcampaign.cli.ci import shielded
from mockcampaign.cli.options import Outputs, output_options
from mockcampaign.cli.parameters import EXISTING_FILE, Command
from mockcampaign.cli.playing import print_scenario, summed_up
from mockcampaign.cli.terminal import columns, print_lines, use_color
from mockcampaign.errors import InvalidInputError

if TYPE_CHECKING:
    from mockcampaign.engine.journal_file import RecordedJournal
    from mockcampaign.judging.verdict import ScenarioResult
    from mockcampaign.scenario.plan import Plan


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=EXISTING_FILE)
@click.option(
    "--scenario", "scenario_file", type=EXISTING_FILE, help="Judge by this scenario instead of the recorded one."
)
@click.option("--rules-only", is_flag=True, help="Judge by the general rules alone, without a scenario.")
@output_options
def judge(
    files: tuple[Path, ...],
    scenario_file: Path | None,
    rules_only: bool,
    outputs: Outputs,
    verbose: bool,
    quiet: bool,
    no_color: bool,
) -> int:
    """Judge journals that `run --journal` or `record` wrote. Nothing is sent."""
    from mockcampaign.engine.journal_file import load_journals
    from mockcampaign.judging.verdict import exit_status
    from mockcampaign.report.scenario_text import summary_lines

    if rules_only and scenario_file is not None:
        raise InvalidInputError("allowed: one of --scenario and --rules-only, found both")
    color = use_color(no_color)
    recorded = [one for file in files for one in load_journals(file)]
    results = [_judged(one, scenario_file, rules_only) for one in recorded]
    with shielded():
        for result in results:
            print_scenario(result, verbose, quiet, color)
    whole = summed_up(results, outputs)
    print_lines(summary_lines(whole, verbosity=verbose - quiet, width=columns()), color)
    return exit_status(whole)


def _judged(recorded: RecordedJournal, scenario_file: Path | None, rules_only: bool) -> ScenarioResult:
    from mockcampaign.judging.verdict import scenario_result
    from mockcampaign.scenario.judge_journal import judge_journal, webhook_names

    heading = recorded.heading
    path = scenario_file or (Path(heading.file) if heading.file and not rules_only else None)
    if path is not None and not path.exists():
        raise InvalidInputError(
            f"{path}: the file of scenario {heading.name!r} does not exist, allowed: --scenario FILE or --rules-only"
        )
    plan = None if path is None else _plan(path, heading.name)
    rules, expectations, trouble = judge_journal(plan, recorded.entries)
    return scenario_result(
        name=heading.name,
        file=str(path or ""),
        target=heading.target,
        trouble=trouble,
        webhooks=webhook_names(plan, recorded.entries),
        rules=rules,
        expectations=expectations,
        journal=recorded.entries,
        strict=heading.strict,
    )


def _plan(path: Path, name: str) -> Plan:
    """Return the scenario's plan, or the one of this name if a matrix makes several."""
    from mockcampaign.scenario.load import load_all

    plans = load_all(path)
    chosen = [plan for plan in plans if plan.name == name] or plans
    if len(chosen) > 1:
        raise InvalidInputError(
            f"{path}: its matrix makes no run {name!r}, allowed: {', '.join(p.name for p in plans)}"
        )
    return chosen[0]
