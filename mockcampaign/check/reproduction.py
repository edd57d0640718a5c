"""Reproducing a violation by itself: commands for a shell and a scenario file, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mockcampaign import json_text
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.examined import Examined, Unrepeatable
from mockcampaign.check.probes.end_state import UrlState
from mockcampaign.check.probes.store_probe import UrlProbe, filled_url
from mockcampaign.check.reproduce import curl
from mockcampaign.check.reproduce.scenario_writer import BYTES_MAX, of_batches
from mockcampaign.check.rule import Rule
from mockcampaign.engine.journal import Attempted, serials_in
from mockcampaign.faults import FAULTS, TrickleBody
from mockcampaign.judging.fact import SmallestRejected
from mockcampaign.judging.finding import Reproduce
from mockcampaign.shape.field import Event
from mockcampaign.shape.placeholders import in_braces
from mockcampaign.tables import complete
from mockcampaign.text import counted

_UNREPEATABLE: Mapping[Unrepeatable, str] = complete(
    "reasons why a violation cannot be reproduced",
    Unrepeatable,
    {
        Unrepeatable.WHOLE_CHECK: "Only everything that the check sends before shows it.",
        Unrepeatable.CONCURRENT: "Only requests that overlap show it: run `mockcampaign check` with --rules {rule}.",
        Unrepeatable.TIMING: "Only the timing of many requests shows it: run `mockcampaign check` with --rules {rule}.",
        Unrepeatable.KILLED: "The consumer has to be killed and restarted meanwhile: run `mockcampaign check` with "
        "--restart-cmd and --rules {rule}.",
        Unrepeatable.BROKEN: "What the consumer needs has to be broken meanwhile: run `mockcampaign check` with "
        "--break-cmd, --restore-cmd and --rules {rule}.",
        Unrepeatable.NOT_REDUCED: "The history is not reduced, since the check reached its limit of events (--events).",
    },
)


def _why_not(why: Unrepeatable, rule: Rule) -> str:
    return _UNREPEATABLE[why].format(rule=rule.id)


NOT_CAMPAIGNS = "A scenario sends what Campaign sends, and only requests that Campaign never sends show this."
NO_PROBE = "A scenario needs a probe of events, by URL or SQL, since the consumer responded 200 to every batch."
NO_STATE = "A scenario checks which events are stored, not which of them is the newest."
TOO_LONG = f"The scenario would be longer than {BYTES_MAX // 1_000} KB."


def reproduce(bench: Bench, examined: Examined, rule: Rule) -> Reproduce:
    """Return everything that helps to reproduce the violation."""
    batches = examined.batches
    curl, without_curl = _commands(bench, examined, rule)
    scenario, without_scenario = _scenario(bench, examined, rule)
    smallest = tuple(map(_raw, batches[0])) if len(batches) == 1 else None
    return Reproduce(
        curl=curl,
        without_curl=without_curl,
        scenario=scenario,
        without_scenario=without_scenario,
        case=smallest,
    )


def _raw(event: Event) -> msgspec.Raw:
    # Readers of the report may be as strict as msgspec.
    return msgspec.Raw(json_text.without_lone_surrogates(json_text.encode(event)))


def _commands(bench: Bench, examined: Examined, rule: Rule) -> tuple[str | None, str | None]:
    """Return commands, or why there are none. They end by reading the probe if that is what shows the violation."""
    if examined.unrepeatable is not None:
        return None, _why_not(examined.unrepeatable, rule)
    lines: list[str] = []
    if examined.curl is not None:
        lines = [examined.curl]
    elif examined.batches:
        for body in map(bench.body_of, examined.batches):
            line = curl.curl(bench.endpoint, body)
            line = curl.giving_up(line, bench.settings.timeout) if bench.recording.transcript.timed_out(body) else line
            lines += [line] * (2 if rule.repeats else 1)
    else:
        lines, why = bench.recording.transcript.commands(bench.endpoint)
        if why is not None:
            return None, why
    needs_probe = "probe" in rule.needs or "probe events" in rule.needs or (not examined.curl and bench.last_accepted)
    if needs_probe and isinstance(bench.store.probe, UrlProbe):
        lines.append(
            curl.read_probe(
                curl.Endpoint(url=_selecting(bench.store.probe.probe.url, bench), routes=bench.settings.routes)
            )
        )
    if "state" in rule.needs and isinstance(bench.store.state, UrlState):
        lines.append(
            curl.read_probe(curl.Endpoint(url=_selecting(bench.store.state.url, bench), routes=bench.settings.routes))
        )
    return curl.on_one_connection(lines) if rule.on_one_connection else "\n".join(lines), None


def _selecting(url: str, bench: Bench) -> str:
    """Return a probe's URL with the values by which it selects the rule's events; the first ones if it takes many."""
    parts = bench.store.question.parts(in_braces(url, "probe"))
    return filled_url(url, parts[0].values if parts else {})


def _scenario(bench: Bench, examined: Examined, rule: Rule) -> tuple[str | None, str | None]:
    """Return a scenario that expects what the consumer did not do, or why there is none."""
    if examined.unrepeatable is not None:
        return None, _why_not(examined.unrepeatable, rule)
    if "state" in rule.needs:
        return None, NO_STATE
    if examined.curl is not None or (not examined.batches and not bench.recording.scenario.is_complete):
        return None, NOT_CAMPAIGNS
    writer, delivered, all_accepted = bench.recording.scenario, _deliverable(bench), _accepted_on_retry(bench)
    if examined.batches:
        webhook = bench.webhook()
        writer = of_batches(bench.campaign.now, webhook, examined.batches, bench.shape)
        # Where responses alone show it, no retry is part of what should happen.
        all_accepted = {webhook.id} if rule.about == "responses" else set()
        delivered = {webhook.id: sum(map(len, examined.batches))}
    probe = None if rule.about == "responses" else bench.store.scenario_probe
    if probe is None and bench.last_accepted and not all_accepted:
        return None, NO_PROBE
    scenario = writer.write(
        f"{rule.id}: {rule.title}",
        bench.url,
        seed=bench.settings.seed,
        policy=bench.campaign.policy,
        delivered=delivered,
        all_accepted=all_accepted,
        probe=probe,
        fields=bench.settings.probe_fields or bench.shape.top_names
        if rule.about == "fields"
        else sorted(bench.store.shown_fields),
        shape_of=bench.settings.shape_of,
        routes=bench.settings.routes,
        leads_clock=bench.settings.leads_clock,
        remark=next((_smallest(fact) for fact in examined.facts if isinstance(fact, SmallestRejected)), ""),
    )
    return (scenario, None) if scenario is not None else (None, TOO_LONG)


def _smallest(found: SmallestRejected) -> str:
    """Return why the scenario sends another batch than the one whose response the finding shows first."""
    return f"The smallest batch that was seen to show it has {counted(found.events, 'event')}."


def _deliverable(bench: Bench) -> dict[int, int]:
    """Return how many of the recorded events each webhook delivers to a consumer that accepts every batch.

    These are all but those that were discarded after nothing but attempts with faults.
    """
    counts = {}
    for webhook_id in bench.recording.scenario.names:
        account, plain = bench.ledger.account(webhook_id), _plain_attempts(bench, webhook_id)
        met = {serial for entry in plain for serial in serials_in(entry.serials)}
        lost = account.discarded & account.attempted - met
        counts[webhook_id] = len(account.accepted & bench.recording.serials - lost)
    return {webhook_id: count for webhook_id, count in counts.items() if count}


def _accepted_on_retry(bench: Bench) -> set[int]:
    """Return the webhooks that delivered everything, but not at the first attempt, though no attempt met a fault."""
    found = set()
    for webhook_id in bench.recording.scenario.names:
        account, plain = bench.ledger.account(webhook_id), _plain_attempts(bench, webhook_id)
        faultless = sum(entry.count for entry in plain) == account.attempts
        failed = not all(entry.outcome.accepted for entry in plain)
        if faultless and failed and set(account.accepted) == set(account.delivered):
            found.add(webhook_id)
    return found


def _plain_attempts(bench: Bench, webhook_id: int) -> list[Attempted]:
    """Return the attempts that a consumer has to accept."""
    return [
        entry
        for _, entry in bench.ledger.account(webhook_id).entries
        if all(FAULTS[kind].harmless or FAULTS[kind] is TrickleBody for kind in entry.faults)
    ]
