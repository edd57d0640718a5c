"""Output of `run --dry-run`: what each plan would do, without sending anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mockcampaign.cli.playing import run_async
from mockcampaign.cli.terminal import print_lines
from mockcampaign.masking import shown_url
from mockcampaign.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mockcampaign.report.columns import Style, Styled
    from mockcampaign.scenario.plan import Plan


def print_dry_runs(plans: Sequence[Plan], seed_of: Callable[[Plan], int], verbosity: int, color: bool | None) -> int:
    """Print what the plans would do, and return the exit status."""
    for plan in plans:
        print_lines(_lines(plan, seed_of(plan), verbosity), color)
    return 0


def _lines(plan: Plan, seed: int, verbosity: int) -> Iterator[list[Styled]]:
    from mockcampaign.durations import format_duration, format_moment
    from mockcampaign.report.scenario_text import TIMELINE_LINES_MAX
    from mockcampaign.report.timeline import folded, timeline
    from mockcampaign.scenario.dry_run import dry_run
    from mockcampaign.scenario.expectations.expected_text import describe_claim

    faint: Style = {"dim": True}
    plain: Style = {}
    doubt: Style = {"fg": "yellow"}
    played = run_async(lambda: dry_run(plan, seed))
    player = played.player
    entries, scenario = player.campaign.journal.entries, plan.scenario
    start = entries[0].at
    yield [("would run", {"fg": "cyan"}), ("  ", plain), (printable(plan.name), {"bold": True})]
    tags = f", tags {', '.join(scenario.tags)}" if scenario.tags else ""
    yield [(f"  {plan.path}{tags}", faint)]
    spent = f"{format_duration(player.campaign.now - start)} of virtual time from {format_moment(start)}"
    yield [(f"  {printable(shown_url(scenario.consumer.url))}, {spent}", faint)]
    if verbosity < 0:
        return
    yield [("  if the consumer responds 200 to everything:", faint)]
    names = {webhook.id: name for name, webhook in player.webhooks.items()}
    lines = list(timeline(entries, names))
    lines = lines if verbosity > 0 else folded(lines, entries)
    kept = lines if verbosity > 0 else lines[:TIMELINE_LINES_MAX]
    when_width = max((len(line.when) for line in kept), default=0)
    who_width = max((len(line.who) for line in kept), default=0)
    for line in kept:
        came_to = f"  {printable(line.came_to)}" if line.came_to else ""
        yield [(f"    {line.when:<{when_width}}  {line.who:<{who_width}}  {line.what}{came_to}", plain)]
    if len(lines) > len(kept):
        yield [(f"    … {len(lines) - len(kept)} more lines (-v shows them)", faint)]
    for finding in played.findings:
        agrees = finding.outcome == "pass"
        yield [
            ("  expected  ", faint),
            (finding.title, plain),
            ("" if agrees else f"  (would be {printable(finding.actual)})", doubt),
        ]
    for expectation in played.unknown:
        yield [
            ("  expected  ", faint),
            (f"{expectation.name}: {describe_claim(expectation.claim)}", plain),
            ("  (depends on the probe)", faint),
        ]
