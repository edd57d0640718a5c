"""The operation that judges expectations of a scenario by what the server has delivered so far, as `OPERATIONS`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import msgspec

from mockcampaign.campaign import Campaign
from mockcampaign.engine.journal import Entry, Probed
from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.judging.consumer_store import canonical, events_in
from mockcampaign.judging.difference import own_events, sent_events
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.ledger import Ledger
from mockcampaign.judging.verdict import verdict_on
from mockcampaign.model import WebhookStatus
from mockcampaign.server.consumer_probe import ConsumerProbe
from mockcampaign.server.http.operation import CONTROL_TAG, INTERRUPTIONS, Call, Operation
from mockcampaign.server.http.request_fields import CustomField
from mockcampaign.server.verdicts.store_reading import HOW_TO_SELECT, StoreReading, read_store, shapes_of
from mockcampaign.server.verdicts.verdict_operations import VerdictView, dropped_trouble, masked, notes_on
from mockcampaign.server.verdicts.verdict_views import finding_views
from mockcampaign.text import few

if TYPE_CHECKING:
    from mockcampaign.scenario.load import ProbeKind
    from mockcampaign.scenario.plan import Expectation


class ExpectRequest(CustomField[dict[str, Any]]):
    """Expectations as in a scenario: of webhooks, of the `consumer` and of calls of the `api`."""

    __slots__ = ()

    @classmethod
    def read(cls, raw: object) -> Self:
        if not isinstance(raw, dict):
            raise InvalidInputError(f"the body is not a JSON object, allowed: {cls.allowed()}")
        return cls(raw)

    @classmethod
    def allowed(cls) -> str:
        return "an object of webhooks, consumer or api, each with its expectations"

    @classmethod
    def schema(cls) -> dict[str, Any]:
        return {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
            "description": "Expectations by webhook, as in the step `expect` of a scenario. A webhook is called by its "
            "id, by its `integrationId`, or by its type if no other one has that; `consumer` needs the server's probe.",
            "examples": [{"open": {"pending": 0}, "consumer": {"processed": "exactly-once"}}],
        }


async def _expect(call: Call, request: ExpectRequest) -> VerdictView:
    from mockcampaign.scenario.load import expectations_in
    from mockcampaign.scenario.plan import ConsumerExpected

    consumer, campaign = call.served.consumer, call.campaign
    named = _named(campaign)
    _check_unambiguous(request.value, named)
    webhook_ids = _webhook_ids(campaign, named)
    expectations = expectations_in(
        request.value,
        "expect",
        # With ambiguous names, which are rejected already: a misspelled one is then said to be like one of them.
        webhooks=dict.fromkeys((*named, *webhook_ids)),
        operations=campaign.operations,
        probe=_probe_kind(consumer),
    )
    reading, trouble = None, None
    if consumer is not None and any(isinstance(one, ConsumerExpected) for one in expectations):
        try:
            reading = await read_store(consumer, campaign)
        except CouldNotTellError as error:
            trouble = str(error)
    entries = list(campaign.journal.entries)
    dropped = campaign.journal.dropped
    probed = [one for one in expectations if trouble is None or not isinstance(one, ConsumerExpected)]
    fields = () if consumer is None else consumer.fields
    findings, ledger, inconclusive, notes = await asyncio.to_thread(
        _judged, campaign, entries, [_with_fields(one, fields) for one in probed], webhook_ids, reading
    )
    findings, trouble = masked(findings, campaign), trouble or dropped_trouble(dropped) or inconclusive
    return VerdictView(
        verdict=verdict_on(findings, trouble, strict=False),
        trouble=trouble,
        findings=finding_views(findings),
        notes=tuple(map(campaign.masking.text, notes)),
        deliveries=ledger.deliveries,
        dropped=dropped,
    )


def _named(campaign: Campaign) -> dict[str, list[int]]:
    """Return the ids of webhooks by type and by `integrationId`, several if the name is ambiguous."""
    found: dict[str, list[int]] = {}
    for one in campaign.webhooks.all():
        if one.status is not WebhookStatus.DELETED:
            for name in filter(None, dict.fromkeys((one.type.value, one.integration_id))):
                found.setdefault(name, []).append(one.id)
    return found


def _check_unambiguous(names: Iterable[str], named: Mapping[str, Sequence[int]]) -> None:
    """Raise `InvalidInputError` for a name that several webhooks have."""
    for name in names:
        ids = named.get(name, ())
        if len(ids) > 1:
            allowed = few(list(map(str, ids)))
            raise InvalidInputError(f"expect.{name}: {name!r} is ambiguous, allowed: the id of a webhook, {allowed}")


def _webhook_ids(campaign: Campaign, named: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Return the ids of webhooks by the names that expectations may use, which are not ambiguous."""
    by_name = {name: ids[0] for name, ids in named.items() if len(ids) == 1}
    return {**by_name, **{str(one.id): one.id for one in campaign.webhooks.all()}}


def _probe_kind(consumer: ConsumerProbe | None) -> ProbeKind | None:
    if consumer is None:
        return None
    return "events" if consumer.probe.reports_events else "number"


def _with_fields(expectation: Expectation, fields: Sequence[str]) -> Expectation:
    """Return the expectation; of the consumer's store by the fields that the probe reports, if it names no others."""
    from mockcampaign.scenario.plan import ConsumerExpected

    if not isinstance(expectation, ConsumerExpected) or not fields or expectation.claim.fields is not None:
        return expectation
    if not isinstance(expectation.claim.processed, str):
        return expectation
    claim = msgspec.structs.replace(expectation.claim, fields=tuple(fields))
    return msgspec.structs.replace(expectation, claim=claim)


def _judged(
    campaign: Campaign,
    entries: Sequence[Entry],
    expectations: Sequence[Expectation],
    webhook_ids: Mapping[str, int],
    reading: StoreReading | None,
) -> tuple[list[Finding], Ledger, str | None, tuple[str, ...]]:
    """Return the findings, the ledger, why expectations of the store cannot be judged or show nothing, and notes."""
    from mockcampaign.scenario.judge import expectations_show_nothing, finding, unrecognised_for
    from mockcampaign.scenario.plan import ConsumerExpected

    ledger, stored = Ledger.of(entries), Ledger()
    unrecognised: dict[Expectation, str] = {}
    if reading is not None:
        stored = Ledger.of(reading.entries)
        probed = _probed(campaign, stored, reading)
        stored.note(stored.next_position, probed)
        for one in expectations:
            if isinstance(one, ConsumerExpected) and (
                why := unrecognised_for(one.claim, stored, probed, shapes_of(campaign), HOW_TO_SELECT)
            ):
                unrecognised[one] = f"probe: {campaign.masking.text(why)}"
    found = [
        finding(
            one,
            stored if isinstance(one, ConsumerExpected) else ledger,
            campaign.now,
            webhook_ids=webhook_ids,
            shapes=shapes_of(campaign),
        )
        for one in expectations
        if one not in unrecognised
    ]
    inconclusive = next(iter(unrecognised.values()), None) or expectations_show_nothing(expectations, found, ledger)
    return found, ledger, inconclusive, notes_on(entries, ledger, campaign.policy.event_age_max)


def _probed(campaign: Campaign, ledger: Ledger, reading: StoreReading) -> Probed:
    """Return what the probe has reported as an entry of the journal, without the events of other senders."""
    if isinstance(reading.found, int):
        return Probed(at=campaign.now, count=reading.found, events=None)
    ours = set(sent_events(ledger.happened).values())
    stored = own_events(map(canonical, events_in(reading.found)), ours, shapes_of(campaign))
    return Probed(at=campaign.now, count=len(stored), events=tuple(map(msgspec.Raw, stored)))


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="expect",
        title="Judge expectations",
        description="By what the server has delivered so far, as the step `expect` of a scenario. The status is 200 "
        "whatever the verdict.",
        tag=CONTROL_TAG,
        method="POST",
        path="/expect",
        fields=ExpectRequest,
        success_description="The verdict, and a finding for each expectation.",
        response=VerdictView,
        failures=INTERRUPTIONS,
        handle=_expect,
    ),
)
