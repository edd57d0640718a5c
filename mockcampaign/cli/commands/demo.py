"""`mockcampaign demo`: a correct and a broken sample consumer, side by side."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from mockcampaign.cli.options import Outputs, common_options
from mockcampaign.cli.parameters import Command
from mockcampaign.cli.playing import play, print_scenario, run_async, wire, write, written
from mockcampaign.cli.progress import Counting
from mockcampaign.cli.terminal import COULD_NOT_TELL, say, styled, use_color

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockcampaign.judging.verdict import ScenarioResult
    from mockcampaign.scenario.plan import Plan

DEMO_BUG = "never-deduplicates"
"""The bug that most consumers begin with. One scenario is about it, and shows what it costs."""

CORRECT = "Stores each event once, and acknowledges it after that."

CHECKED_BUGS = ("responds-202", "loses-odd-event", "dedup-key-mail-id", "dedup-key-batch-hash")
CHECKED_FAMILIES = ("acknowledgement", "batch", "identity", "redelivery")
"""A few families of rules, and a few bugs, to keep the demo short."""


class Checked(NamedTuple):
    """The check of a sample consumer."""

    name: str
    description: str
    violated: list[str]
    """Ids of the violated rules."""


@click.command(cls=Command)
@common_options
def demo(seed: int | None, outputs: Outputs, verbose: bool, quiet: bool, no_color: bool) -> int:
    """Check a correct and a broken sample consumer, side by side: first with scenarios, then with rules."""
    import msgspec

    from mockcampaign.judging.verdict import run_result
    from mockcampaign.model import BasicAuthentication
    from mockcampaign.samples.consumer import BUGS, consumer_app
    from mockcampaign.scenario.load import find_scenarios, load
    from mockcampaign.serving import serve_in_thread
    from mockcampaign.shipped import scenarios_folder
    from mockcampaign.text import printable

    color = use_color(no_color)
    bug = BUGS[DEMO_BUG]
    columns: dict[str, list[ScenarioResult]] = {"correct": [], DEMO_BUG: []}
    headline = f"A correct consumer, and one with this bug: {bug.description}"
    say(headline)
    paths = find_scenarios((scenarios_folder(),))
    with contextlib.ExitStack() as stack:
        progress = Counting("scenarios", stack) if sys.stderr.isatty() else None
        for number, (column, path) in enumerate(itertools.product(columns, paths), 1):
            if progress is not None:
                progress.show(f"{number}/{len(columns) * len(paths)} {column}: {path.name}")
            # Each scenario has its own consumer, so that none depends on what another one left behind.
            credentials = BasicAuthentication("acme", "secret")
            app = consumer_app(DEMO_BUG if column == DEMO_BUG else None, basic_authentication=credentials)
            results = columns[column]
            with serve_in_thread(app) as url:
                os.environ["CONSUMER_URL"] = url
                os.environ["HOOK_PASSWORD"] = credentials.password
                plan = load(path)

                async def play_it(plan: Plan = plan, done: Callable[[ScenarioResult], None] = results.append) -> None:
                    async with wire(None, True) as transport:
                        await play(plan, transport, seed=1 if seed is None else seed, strict=False, done=done)

                run_async(play_it)
    correct, broken = columns.values()
    width = max(len(result.name) for result in correct)
    say(f"\n{'scenario':<{width}}  {'correct':<14}  {DEMO_BUG}")
    for left, right in zip(correct, broken, strict=True):
        say(f"{printable(left.name):<{width}}  {_verdict(left, 14)}  {_verdict(right, 0)}", color=color)
    violated = [result for result in broken if not result.compliant]
    for result in violated if verbose else violated[:1]:
        say(f"\n{_taught(Path(result.file))}\n")
        print_scenario(result, verbose, quiet, color)
    if len(violated) > 1 and not verbose:
        say(f"  … and {len(violated) - 1} more like it (-v shows them)")
    checks = _check_bugs(1 if seed is None else seed, color)
    say()
    say("Next: start your own consumer, check it, and run these scenarios against it (see the documentation):")
    say("  mockcampaign check http://127.0.0.1:8000/hook --probe http://127.0.0.1:8000/processed")
    say(f"  CONSUMER_URL=http://127.0.0.1:8000 mockcampaign run {scenarios_folder()}")
    # Nothing is reported to GitHub: that the broken one is broken is no failure.
    named = [
        msgspec.structs.replace(result, name=f"{column}: {result.name}", target=f"sample consumer {column}")
        for column, results in columns.items()
        for result in results
    ]
    whole = msgspec.structs.replace(run_result(named), headline=headline)
    page = outputs.files.get("--html")
    others = {option: path for option, path in outputs.files.items() if option != "--html"}
    write(whole, Outputs(others, full_journal=outputs.full_journal))
    if page is not None:
        from mockcampaign.report.html import Demo, to_html

        consumers = {"correct": CORRECT, DEMO_BUG: bug.description}
        shown = Demo(consumers=consumers, scenarios=[one.name for one in correct], checks=checks)
        written("--html", page, to_html(whole, shown))
    if page is None:
        say("Or see every request of this demo: mockcampaign demo --html report.html")
    else:
        say(f"Every request of this demo: {page}")
    as_expected = all(result.compliant for result in correct) and not all(result.compliant for result in broken)
    as_expected = as_expected and all(bool(one.violated) is (one.name in BUGS) for one in checks)
    return 0 if as_expected else COULD_NOT_TELL


def _taught(path: Path) -> str:
    """Return what a scenario is about, in the words at its beginning."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines())
    return " ".join(line.removeprefix("#").strip() for line in lines if "yaml-language-server" not in line)


def _check_bugs(seed: int, color: bool | None) -> list[Checked]:
    """Print and return the violations of the correct consumer and of some bugs."""
    from functools import partial

    from mockcampaign import wallclock
    from mockcampaign.check.check import check
    from mockcampaign.check.probes.probe_making import make_probe
    from mockcampaign.check.settings import Settings
    from mockcampaign.judging.verdict import RunResult
    from mockcampaign.samples.consumer import BUGS, consumer_app
    from mockcampaign.transport.inprocess import AsgiTransport

    async def checked(bug: str | None) -> RunResult:
        transport = AsgiTransport(consumer_app(bug))
        probe = make_probe(transport, url="http://demo/processed", timeout=10_000)
        settings = Settings(seed=seed, now=wallclock.now(), rules=CHECKED_FAMILIES)
        try:
            return await check("http://demo/hook", transport=transport, settings=settings, probe=probe)
        finally:
            await transport.aclose()

    number, all_bugs = len(CHECKED_BUGS), len(BUGS)
    say(f"\nThe check of the correct consumer and of {number} of {all_bugs} sample bugs:\n")
    checks = []
    for bug in (None, *CHECKED_BUGS):
        result = run_async(partial(checked, bug))
        violated = [finding.id for finding in result.rules if finding.outcome == "fail"]
        description = BUGS[bug].description if bug else CORRECT
        checks.append(Checked(bug or "correct", description, violated))
        found = click.style(", ".join(violated), fg="red") if violated else click.style("no violation", fg="green")
        say(f"  {bug or 'correct':<24} {found}", color=color)
    return checks


def _verdict(result: ScenarioResult, width: int) -> str:
    from mockcampaign.report.scenario_text import VERDICTS

    return styled(f"{result.verdict:<{width}}", VERDICTS[result.verdict][1])
