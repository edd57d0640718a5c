"""The operation that judges what the server has delivered so far, as `OPERATIONS`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from mockcampaign.campaign import Campaign
from mockcampaign.durations import format_duration
from mockcampaign.engine.journal import Entry
from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.judging.earlier.baseline import Known, marked
from mockcampaign.judging.failures import failures_of
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.judging.ledger import DeliveryCounts, Ledger
from mockcampaign.judging.verdict import Verdict, verdict_on
from mockcampaign.report.timeline import failure_notes
from mockcampaign.server.http.operation import CONTROL_TAG, INTERRUPTIONS, Call, Operation
from mockcampaign.server.http.request_fields import Flag, TextList, about
from mockcampaign.server.verdicts.store_reading import read_store
from mockcampaign.server.verdicts.verdict_views import FindingView, finding_views
from mockcampaign.text import counted, unknown

if TYPE_CHECKING:
    from mockcampaign.scenario.judge_journal import Judged

PROCESSED = "processed"
"""Id of the finding about the consumer's store."""

COUNTS_OTHERS = (
    "the probe reports more events than were sent: it may count what was stored before, too, allowed: an empty store, "
    "or a probe that reports events"
)
"""Why a number that is too great shows nothing."""


class VerdictQuery(msgspec.Struct, frozen=True):
    """How strictly to judge."""

    strict: Annotated[Flag, about("Whether violated “should” rules count as violations.")] = Flag.FALSE
    allow: Annotated[TextList, about("Ids of rules that the consumer may violate.")] | None = None


class VerdictView(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on what the server has delivered so far."""

    verdict: Verdict
    trouble: str | None
    """Why the verdict is inconclusive although nothing is violated."""
    findings: list[FindingView]
    notes: tuple[str, ...]
    """Facts that violate no rule: which attempts failed, when, how, and how many events waited; which outages were
    declared; and that events were discarded."""
    deliveries: DeliveryCounts
    dropped: int
    """Number of the oldest journal entries, which the server has dropped, so that they are not judged."""


async def _verdict(call: Call, query: VerdictQuery) -> VerdictView:
    from mockcampaign.scenario.judge_store import STORE_NOT_JUDGED, judge_store

    allow = () if query.allow is None else query.allow.value
    _check_allowed(allow)
    consumer, campaign = call.served.consumer, call.campaign
    stored, trouble = list[Finding](), None
    if consumer is None:
        stored = [STORE_NOT_JUDGED]
    else:
        try:
            reading = await read_store(consumer, campaign)
            if reading.unrecognised is not None:
                trouble = reading.unrecognised
            elif reading.may_count_others:
                trouble = COUNTS_OTHERS
            else:
                stored = [judge_store(reading.difference, reading.acknowledged, hint=reading.hint)]
        except CouldNotTellError as error:
            trouble = str(error)
    dropped = campaign.journal.dropped
    entries = list(campaign.journal.entries)
    (rules, _, inconclusive), ledger, notes = await asyncio.to_thread(_judged, entries, campaign.policy.event_age_max)
    known = tuple(map(Known, allow))
    findings = [marked(finding, known) for finding in (*rules, *masked(stored, campaign))]
    trouble = trouble or dropped_trouble(dropped) or inconclusive
    return VerdictView(
        verdict=verdict_on(findings, trouble, strict=query.strict is Flag.TRUE),
        trouble=trouble,
        findings=finding_views(findings),
        notes=tuple(map(campaign.masking.text, notes)),
        deliveries=ledger.deliveries,
        dropped=dropped,
    )


def masked(findings: Iterable[Finding], campaign: Campaign) -> list[Finding]:
    """Return findings without the secrets that the consumer may have stored."""
    return [msgspec.structs.replace(one, actual=campaign.masking.text(one.actual)) for one in findings]


def dropped_trouble(dropped: int) -> str | None:
    """Return why a verdict is inconclusive if the server has dropped entries of its journal, or None."""
    if not dropped:
        return None
    what = "entry" if dropped == 1 else f"{dropped:,} entries"
    return f"the server has dropped the oldest {what} of its journal, which may show more, allowed: a reset in between"


def _judged(entries: Sequence[Entry], event_age_max: int) -> tuple[Judged, Ledger, tuple[str, ...]]:
    from mockcampaign.scenario.judge_journal import judge_journal

    ledger = Ledger.of(entries)
    return judge_journal(None, entries), ledger, notes_on(entries, ledger, event_age_max)


def notes_on(entries: Sequence[Entry], ledger: Ledger, event_age_max: int) -> tuple[str, ...]:
    """Return what violates no rule, but may be missed: failed attempts, outages and discarded events."""
    return *failure_notes(failures_of(entries)), *_discard_notes(ledger, event_age_max)


def _discard_notes(ledger: Ledger, event_age_max: int) -> tuple[str, ...]:
    """Return a sentence for each reason for which events were discarded: no rule is violated, but they are gone."""
    numbers = Counter[str]()
    for account in ledger.accounts.values():
        for entry in account.discards:
            numbers[entry.reason] += sum(last - first + 1 for first, last in entry.serials)
    whys = {
        "expired": f"{format_duration(event_age_max)} after creation, as Campaign had received no 200",
        "webhook deleted": "when the webhook was deleted",
    }
    return tuple(
        f"{counted(number, 'event')} {'was' if number == 1 else 'were'} discarded {whys[reason]}: see GET "
        "/__mockcampaign/discarded"
        for reason, number in numbers.items()
    )


def _check_allowed(allow: Collection[str]) -> None:
    known = [*(rule.id for rule in JOURNAL_RULES), PROCESSED]
    wrong = next((name for name in allow if name not in known), None)
    if wrong is not None:
        raise InvalidInputError(f"allow: {unknown('rule', wrong, known)}")


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="verdict",
        title="Judge the consumer by what was delivered so far",
        description="By the rules that every journal shows, and by the events that the consumer has stored if the "
        "server was started with a probe. `notes` says what violates no rule: which attempts failed, when, how, and "
        "how many events waited; which outages were declared; and how many events were discarded. The status is 200 "
        "whatever the verdict.",
        tag=CONTROL_TAG,
        method="GET",
        path="/verdict",
        fields=VerdictQuery,
        success_description="The verdict and its findings.",
        response=VerdictView,
        failures=INTERRUPTIONS,
        handle=_verdict,
    ),
)
