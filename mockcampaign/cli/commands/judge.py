"""`mockcampaign judge`: judges recorded journals without a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockcampaign.cli.ci import shielded
from mockcampaign.cli.options import Outputs, output_options, shared_options
from mockcampaign.cli.parameters import EXISTING_FILE, Command
from mockcampaign.cli.playing import print_scenario, summed_up
from mockcampaign.cli.terminal import columns, print_lines, use_color
from mockcampaign.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockcampaign.engine.journal_file import RecordedJournal
    from mockcampaign.judging.earlier.baseline import Known
    from mockcampaign.judging.verdict import ScenarioResult
    from mockcampaign.scenario.plan import Plan


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=EXISTING_FILE)
@click.option(
    "--scenario", "scenario_file", type=EXISTING_FILE, help="Judge by this scenario instead of the recorded one."
)
@click.option("--rules-only", is_flag=True, help="Judge by the general rules alone, without a scenario.")
@shared_options("--baseline")
@output_options
def judge(
    files: tuple[Path, ...],
    scenario_file: Path | None,
    rules_only: bool,
    baseline: Path | None,
    outputs: Outputs,
    verbose: bool,
    quiet: bool,
    no_color: bool,
) -> int:
    """Judge journals that `run --journal` or `record` wrote. Nothing is sent."""
    from mockcampaign.judging.earlier.baseline import read_baseline
    from mockcampaign.judging.recorded import load_journals
    from mockcampaign.judging.verdict import exit_status
    from mockcampaign.report.scenario_text import summary_lines

    if rules_only and scenario_file is not None:
        raise InvalidInputError("allowed: one of --scenario and --rules-only, found both")
    color = use_color(no_color)
    known = () if baseline is None else read_baseline(baseline)
    recorded = [(file, one) for file in files for one in load_journals(file)]
    plans = [None if rules_only else _plan_of(one, file, scenario_file) for file, one in recorded]
    outputs.check_inputs([file for plan in plans if plan is not None for file in plan.files])
    results = [_judged(one, plan, known) for (_, one), plan in zip(recorded, plans, strict=True)]
    with shielded():
        for result in results:
            print_scenario(result, verbose, quiet, color)
    whole = summed_up(results, outputs, known)
    print_lines(summary_lines(whole, verbosity=verbose - quiet, width=columns()), color)
    return exit_status(whole)


def _plan_of(recorded: RecordedJournal, journal: Path, scenario_file: Path | None) -> Plan | None:
    """Return the plan that a journal is judged by. A journal names no scenario outside of its own folder."""
    heading = recorded.heading
    if scenario_file is not None or not heading.file:
        return None if scenario_file is None else _plan(scenario_file, heading.name)
    named, instead = f"the scenario of {heading.name!r}", "allowed: --scenario FILE or --rules-only"
    try:
        # Earlier versions wrote the path as the run was given it.
        paths = [path for path in (journal.parent / heading.file, Path(heading.file)) if path.is_file()]
        for path in paths:
            if path.resolve().is_relative_to(journal.resolve().parent):
                return _plan(path, heading.name)
    except (OSError, ValueError, RuntimeError):  # too long, with a NUL, or a loop of links
        pass
    raise InvalidInputError(f"{journal}: {named} is not in the journal's folder, {instead}")


def _judged(recorded: RecordedJournal, plan: Plan | None, known: Sequence[Known]) -> ScenarioResult:
    from mockcampaign.judging.earlier.baseline import marked, of_scenario
    from mockcampaign.judging.verdict import scenario_result
    from mockcampaign.scenario.judge_journal import judge_journal, webhook_names

    heading = recorded.heading
    rules, expectations, trouble = judge_journal(plan, recorded.entries)
    file = "" if plan is None else str(plan.path)
    accepted = of_scenario(known, heading.name, file)
    return scenario_result(
        name=heading.name,
        file=file,
        target=heading.target,
        trouble=trouble,
        webhooks=webhook_names(plan, recorded.entries),
        rules=[marked(one, accepted) for one in rules],
        expectations=[marked(one, accepted) for one in expectations],
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
