"""`mockcampaign demo`: a correct and a broken sample consumer, side by side."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from mockcampaign.cli.options import Outputs, common_options
from mockcampaign.cli.parameters import Command
from mockcampaign.cli.playing import play, print_scenario, run_async, wire, write
from mockcampaign.cli.terminal import COULD_NOT_TELL, say, styled, use_color

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockcampaign.judging.verdict import ScenarioResult
    from mockcampaign.scenario.plan import Plan

DEMO_BUG = "dedup-key-mail-id"

CHECKED_BUGS = ("responds-202", "loses-odd-event", "dedup-key-mail-id", "dedup-key-batch-hash")
CHECKED_FAMILIES = ("acknowledgement", "batch", "identity", "redelivery")
"""A few families of rules, and a few bugs, to keep the demo short."""


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
    columns: dict[str, list[ScenarioResult]] = {"correct": [], "broken": []}
    say(f"A correct consumer, and one with this bug: {bug.description}")
    for column, results in columns.items():
        for path in find_scenarios((scenarios_folder(),)):
            # Each scenario has its own consumer, so that none depends on what another one left behind.
            credentials = BasicAuthentication("acme", "secret")
            app = consumer_app(DEMO_BUG if column == "broken" else None, basic_authentication=credentials)
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
    say(f"\n{'scenario':<{width}}  {'correct':<14}  broken")
    for left, right in zip(correct, broken, strict=True):
        say(f"{printable(left.name):<{width}}  {_verdict(left, color, 14)}  {_verdict(right, color, 0)}", color=color)
    violated = [result for result in broken if not result.compliant]
    for result in violated if verbose else violated[:1]:
        say("\nViolations of the broken one:\n" if result is violated[0] else "")
        print_scenario(result, verbose, quiet, color)
    if len(violated) > 1 and not verbose:
        say(f"  … and {len(violated) - 1} more like it (-v shows them)")
    all_found = _check_bugs(1 if seed is None else seed, color)
    say()
    say("Next: start your own consumer, check it, and run these scenarios against it (see the documentation):")
    say("  mockcampaign check http://127.0.0.1:8000/hook --probe http://127.0.0.1:8000/processed")
    say(f"  CONSUMER_URL=http://127.0.0.1:8000 mockcampaign run {scenarios_folder()}")
    # Nothing is reported to GitHub: that the broken one is broken is no failure.
    named = [
        msgspec.structs.replace(result, name=f"{column}: {result.name}")
        for column, results in columns.items()
        for result in results
    ]
    headline = f"A correct consumer, and one with this bug: {bug.description}"
    write(msgspec.structs.replace(run_result(named), headline=headline), outputs)
    page = outputs.files.get("--html")
    if page is None:
        say("Or see every request of this demo: mockcampaign demo --html report.html")
    else:
        say(f"Every request of this demo: {page}")
    as_expected = all(result.compliant for result in correct) and not all(result.compliant for result in broken)
    as_expected = as_expected and all_found
    return 0 if as_expected else COULD_NOT_TELL


def _check_bugs(seed: int, color: bool | None) -> bool:
    """Print the violations of the correct consumer and of some bugs, and return whether they are as expected."""
    from functools import partial

    from mockcampaign import wallclock
    from mockcampaign.check.check import check
    from mockcampaign.check.probes.store_probe import UrlProbe
    from mockcampaign.check.settings import Settings
    from mockcampaign.judging.consumer_store import Probe
    from mockcampaign.judging.verdict import RunResult
    from mockcampaign.samples.consumer import BUGS, consumer_app
    from mockcampaign.transport.inprocess import AsgiTransport

    async def checked(bug: str | None) -> RunResult:
        transport = AsgiTransport(consumer_app(bug))
        probe = UrlProbe(Probe(url="http://demo/processed", events="@"), transport, timeout=10_000)
        settings = Settings(seed=seed, now=wallclock.now(), rules=CHECKED_FAMILIES)
        try:
            return await check("http://demo/hook", transport=transport, settings=settings, probe=probe)
        finally:
            await transport.aclose()

    number, all_bugs = len(CHECKED_BUGS), len(BUGS)
    say(f"\nThe check of the correct consumer and of {number} of {all_bugs} sample bugs:\n")
    right = True
    for bug in (None, *CHECKED_BUGS):
        result = run_async(partial(checked, bug))
        violated = [finding.id for finding in result.rules if finding.outcome == "fail"]
        right = right and bool(violated) is (bug is not None)
        found = click.style(", ".join(violated), fg="red") if violated else click.style("no violation", fg="green")
        say(f"  {bug or 'correct':<24} {found}", color=color)
    return right


def _verdict(result: ScenarioResult, color: bool | None, width: int) -> str:
    from mockcampaign.report.scenario_text import VERDICTS

    return styled(f"{result.verdict:<{width}}", VERDICTS[result.verdict][1])
