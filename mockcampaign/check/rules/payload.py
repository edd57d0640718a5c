"""Payload: absent and unknown fields, large numbers, and text of all kinds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mockcampaign import json_text
from mockcampaign.check import edge_cases
from mockcampaign.check.behaviours import Behaviour
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_deliver, must_distinguish, must_store
from mockcampaign.check.bench.price import never_responds
from mockcampaign.check.edge_cases import EdgeCase, EdgeCases
from mockcampaign.check.examined import Examined, SkipRule, failed, passed
from mockcampaign.check.rule import Examine, Rule, Stage
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.fact import (
    AnyFact,
    Confirmation,
    Confirmed,
    EdgeCaseField,
    Inconclusive,
    Need,
    NeverResponds,
    Precondition,
    Rejected,
    Response,
    Stimulus,
    StoreAgrees,
    StoreDiffers,
    Unmet,
)
from mockcampaign.judging.finding import Level
from mockcampaign.judging.situation import Situation
from mockcampaign.model import Responded, TimedOut
from mockcampaign.shape.field import WHOLE_NUMBERS, Event, Role, value_at, with_value, without_value
from mockcampaign.shape.nearness import LATER

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# Hypothesis is imported where it is used: the catalogue of rules can be read without it.

_ASSUMED = "(assumed, since the vendor publishes one example and no schema)"
_FIX = "Read what you need from an event, with a default for what may be missing, and store the rest as it is."
_EXAMPLE = "device = event.get('device') or 'unknown'"


def _batch(events: Sequence[Event], fields: Sequence[EdgeCaseField]) -> Stimulus:
    situation = Situation.EDGE_CASE if len(events) == 1 else Situation.EDGE_CASES
    return Stimulus(situation=situation, events=len(events), edge_cases=tuple(fields))


async def _wrong(bench: Bench, events: Sequence[Event], stimulus: Stimulus) -> tuple[AnyFact, ...]:
    """Return what goes wrong with a batch of the events, if anything.

    As a webhook carries one type, a consumer may ignore all others: other rules ask whether it stores these.
    """
    delivery = await bench.deliver(events, attempts=3, sent=stimulus)
    response = delivery.response(stimulus)
    if isinstance(delivery.last, TimedOut):
        return response, never_responds(bench)
    if not delivery.accepted:
        return (response,)
    own = [one for one in events if bench.shape.is_own_type(one)]
    if bench.store.reports_events:
        difference = await bench.store.difference_of(own)
        if difference:
            return response, difference.seen(stimulus)
    elif bench.store.has_probe:
        loss = await bench.store.loss_of(events)
        if loss is not None and len(own) == len(events):
            return response, loss.seen(stimulus)
    return ()


class _Wrong(NamedTuple):
    """An edge case that goes wrong by itself."""

    case: EdgeCase
    event: Event
    facts: tuple[AnyFact, ...]


async def _one_by_one(bench: Bench, cases: list[EdgeCase], *, losses_first: bool = False) -> _Wrong | None:
    """Return the first edge case that goes wrong by itself; those that are guessed come last.

    With `losses_first`, return the first that loses an event, if any does.
    """
    first: _Wrong | None = None
    for case in sorted(cases, key=lambda case: case.guessed):
        event = case.applied(bench.event())
        facts = await _wrong(bench, [event], _batch([event], [case.seen()]))
        if facts:
            if any(isinstance(fact, NeverResponds) for fact in facts):
                bench.incidents.without_response.append(case)
            first = first or _Wrong(case, event, facts)
            if not losses_first or _loses(bench, facts):
                return _Wrong(case, event, facts)
    return first


def _parts(bench: Bench, cases: list[EdgeCase]) -> Iterator[list[EdgeCase]]:
    """Yield the edge cases that are delivered together."""
    groups = [cases]
    if bench.store.has_probe and not bench.store.reports_events:
        # A number does not say which events are missing, and those of other types may be.
        own = [case for case in cases if case.role is not Role.TYPE]
        groups = [own, [case for case in cases if case.role is Role.TYPE]]
    size = bench.shape.body.events_max
    for group in groups:
        for at in range(0, len(group), size):
            yield group[at : at + size]


async def _first_wrong(bench: Bench, make: EdgeCases, *, losses_first: bool = False) -> _Wrong | None:
    """Return the first edge case that goes wrong, or None. Deliver them together, and one by one if that fails."""
    for part in _parts(bench, bench.edge_cases(make)):
        events = [case.applied(bench.event()) for case in part]
        if await _wrong(bench, events, _batch(events, [case.seen() for case in part])):
            found = await _one_by_one(bench, part, losses_first=losses_first)
            if found is not None:
                return found
    return None


def _loses(bench: Bench, facts: Iterable[AnyFact]) -> bool:
    """Return whether the facts say that an acknowledged event vanished, or is stored as another recipient's."""
    recipients = {field.path[0] for field in bench.shape.of(Role.RECIPIENT, Role.RECIPIENT_ADDRESS)}
    differences = [fact for fact in facts if isinstance(fact, StoreDiffers)]
    return any(fact.missing or recipients & {*fact.changed_fields} for fact in differences)


def _table(make: EdgeCases, *, only_losses: bool = False) -> Examine:
    """Return how to examine whether edge cases are accepted and stored. With `only_losses`, all else is a hazard."""

    async def examine(bench: Bench) -> Examined:
        cases = bench.edge_cases(make)
        if not cases:
            raise SkipRule(Unmet(why=Precondition.NO_SUCH_FIELDS, variant=bench.event_type))
        await must_deliver(bench, bench.events(min(len(cases), bench.shape.body.events_max)))
        if bench.store.has_probe:
            await must_store(bench, min(len(cases), bench.shape.body.events_max))
        found = await _first_wrong(bench, make, losses_first=only_losses)
        if found is not None:
            is_hazard = found.case.guessed or (only_losses and not _loses(bench, found.facts))
            return failed(*found.facts, batches=[[found.event]], is_hazard=is_hazard)
        return passed(_confirmed(bench, cases))

    return examine


def _confirmed(bench: Bench, cases: Sequence[EdgeCase]) -> Confirmed:
    """Return that edge cases were accepted or stored, in which fields, and in which ones nothing was compared."""
    store = bench.store
    own = {field.path for field in bench.shape.fields}
    names = {".".join(case.path): case.path in own and case.path[0] not in store.shown_fields for case in cases}
    return Confirmed(
        what=Confirmation.EDGE_CASES_STORED if store.reports_events else Confirmation.EDGE_CASES_ACCEPTED,
        count=len(cases),
        fields=tuple(name for name, hidden in names.items() if not (hidden and store.reports_events)),
        not_compared=tuple(name for name, hidden in names.items() if hidden and store.reports_events),
    )


def _rule(
    rule_id: str,
    title: str,
    requirement: str,
    expected: str,
    examine: Examine,
    fix: str,
    example: str,
    *,
    level: Level = "must",
    needs: tuple[Need, ...] = (),
    assumes: tuple[Behaviour, ...] = ("batch", "retry", "fields"),
    depends_on: tuple[str, ...] = (),
    draws: bool = False,
) -> Rule:
    return Rule(
        id=rule_id,
        family="payload",
        level=level,
        title=title,
        requirement=requirement,
        expected=expected,
        examine=examine,
        needs=needs,
        is_counted="probe events" not in needs,
        assumes=assumes,
        depends_on=depends_on,
        draws=draws,
        fix=fix,
        example=example,
        not_covered="Without a probe: whether they are stored, not only accepted. With a probe of their number: "
        "whether they are stored unchanged.",
    )


ACCEPTS_ABSENT_FIELDS = _rule(
    "accepts-absent-fields",
    "Accepts events without an optional field",
    f"An event lacks a field that a mail client or a proxy does not reveal {_ASSUMED}.",
    "200 to events without an address, a device, an operating system or a browser",
    _table(edge_cases.absent_fields),
    _FIX,
    _EXAMPLE,
)

ACCEPTS_NULL_FIELDS = _rule(
    "accepts-null-fields",
    "Accepts events with an optional field set to null",
    f"A field is null if a mail client or a proxy does not reveal it {_ASSUMED}.",
    "200 to events whose address, device, operating system or browser is null",
    _table(edge_cases.null_fields),
    _FIX,
    _EXAMPLE,
)

ACCEPTS_UNKNOWN_FIELDS = _rule(
    "accepts-unknown-fields",
    "Accepts events with unknown extra fields",
    f"A sender may add fields at any time {_ASSUMED}.",
    "200, and the known fields stored",
    _table(edge_cases.unknown_fields),
    "Ignore or store unknown fields, and do not reject them.",
    "model_config = ConfigDict(extra='allow')",
)

ACCEPTS_UNKNOWN_VALUES = _rule(
    "accepts-unknown-values",
    "Accepts unknown types, devices, systems and browsers",
    f"New types, devices, systems and browsers appear every year {_ASSUMED}; the guide gives one example of each.",
    "200, and the names of devices, systems and browsers stored as they are",
    _table(edge_cases.unknown_values),
    "Validate and store device, operating system, browser and type as text, not as an enumeration.",
    "device: str",
)


async def _stores_unknown_type(bench: Bench) -> Examined:
    await must_store(bench, 1)
    case = next(iter(bench.edge_cases(edge_cases.unknown_type)), None)
    if case is None:
        raise SkipRule(Unmet(why=Precondition.NO_SUCH_FIELDS, variant=bench.event_type))
    event = case.applied(bench.event())
    stimulus = _batch([event], [case.seen()])
    delivery = await bench.deliver([event], attempts=3, sent=stimulus)
    if not delivery.accepted:
        raise SkipRule(Rejected(response=delivery.response(stimulus)))
    difference = await bench.store.difference_of([event])
    if difference:
        return failed(delivery.response(stimulus), difference.seen(stimulus), batches=[[event]])
    return passed(StoreAgrees(after=stimulus))


STORES_UNKNOWN_TYPES = _rule(
    "stores-unknown-types",
    "Stores events of an unknown type",
    "Campaign never resends a batch after 200 (vendor's webhook guide). A webhook carries one type, so another one "
    "arrives only if names change, or if the webhook was registered for another type than intended (assumed).",
    "every acknowledged event stored, whatever its type",
    _stores_unknown_type,
    "Store events of all types, or log which ones you ignored.",
    "log.warning('ignored %d events of type %s', len(events), type)",
    level="should",
    needs=("probe events",),
)


async def _beside_absent(bench: Bench) -> Examined | None:
    """Return a violation if ids change in a batch in which other events lack them.

    A consumer may reject events without an id, but must not store others wrongly because of them.
    """
    fields = [one for one in bench.shape.of(*WHOLE_NUMBERS) if one.is_whole_number and one.role is not Role.CLIENT]
    if not fields or not bench.store.reports_events or not bench.shape.body.has_list:
        return None
    for some in (fields, *([field] for field in fields if len(fields) > 1)):
        whole = bench.event()
        for number, field in enumerate(some):
            whole = with_value(whole, field.path, BESIDE_ABSENT + 2 * number)
        lacking = [without_value(bench.event(), field.path) for field in some]
        lacking += [with_value(bench.event(), field.path, None) for field in some]
        events = [*lacking, whole]
        absent = EdgeCase(path=some[0].path, role=some[0].role, absent=True)
        null = EdgeCase(path=some[0].path, role=some[0].role)
        delivery = await bench.deliver(events, sent=_batch(events, [absent.seen(), null.seen()]))
        if not delivery.accepted:
            continue
        difference = await bench.store.difference_of([whole])
        if difference and await _loses_beside(bench, lacking):
            return None  # also an ordinary event, so its ids are not to blame
        if difference:
            large = EdgeCase(path=some[0].path, role=some[0].role, value=value_at(whole, some[0].path))
            stimulus = _batch(events, [absent.seen(), large.seen()])
            return failed(delivery.response(stimulus), difference.seen(stimulus), batches=[events])
        return None
    return None


async def _loses_beside(bench: Bench, lacking: Sequence[Event]) -> bool:
    """Return whether the consumer loses also an ordinary event beside others like these, which lack an id."""
    ordinary = bench.event()
    with bench.unrecorded():
        delivery = await bench.deliver([*(bench.shape.later(one, LATER) for one in lacking), ordinary])
    return not delivery.accepted or bool(await bench.store.difference_of([ordinary]))


BESIDE_ABSENT = 2**53 + 1
"""The first whole number that a float cannot represent."""


async def _stores_large_ids(bench: Bench) -> Examined:
    examined = await _table(edge_cases.large_ids)(bench)
    return (await _beside_absent(bench) or examined) if examined.holds else examined


STORES_LARGE_IDS = _rule(
    "stores-large-ids",
    "Stores ids exactly, from 0 to beyond 2^53",
    "Ids are numbers of 64 bits (vendor's API description).",
    "200, and each id stored to the last digit",
    _stores_large_ids,
    "Use 64-bit columns and a JSON parser that keeps whole numbers whole. A column with an empty cell becomes one of "
    "floats in some tables.",
    "BIGINT; in JavaScript, a parser such as json-bigint",
)

STORES_RECIPIENT_ID_AS_TEXT = _rule(
    "stores-recipient-id-as-text",
    "Stores the recipient's id as text, unchanged",
    "The id of a recipient is text that the client chooses: digits, an e-mail address, a customer number "
    "(vendor's API description).",
    "leading zeros, capitals, spaces and signs stored",
    _table(edge_cases.recipient_ids),
    "Store it as text, and change nothing about it.",
    "recipient_id TEXT NOT NULL",
)

ACCEPTS_IPV6 = _rule(
    "accepts-ipv6",
    "Accepts IPv6 addresses",
    f"Recipients reach the tracking server over IPv6 as well {_ASSUMED}.",
    "200, and the address stored, in any of its spellings",
    _table(edge_cases.addresses),
    "Validate and store addresses of both IP versions, as text of up to 45 characters or in a type that knows both.",
    "remote_address INET",
)


async def _stores_text(bench: Bench) -> Examined:
    return await _table(partial(edge_cases.texts, longest=bench.lengths))(bench)


STORES_TEXT_UNCHANGED = _rule(
    "stores-text-unchanged",
    "Stores text of any length and script unchanged",
    f"JSON text is Unicode (RFC 8259, 8.1), and names of devices and browsers come from all over the world {_ASSUMED}.",
    "255 characters, links of 2,000, non-Latin scripts, emoji and markup stored as they are",
    _stores_text,
    "Use UTF-8 throughout (utf8mb4 in MySQL) and columns of 255 characters, or 2,000 for links; escape or shorten text "
    "only where you display it.",
    "CREATE TABLE events (browser VARCHAR(255)) CHARACTER SET utf8mb4",
    assumes=("batch", "retry", "fields", "lengths"),
)

STORES_CONTROL_CHARACTERS = Rule(
    id="stores-control-characters",
    family="payload",
    level="must",
    title="Stores text with control characters",
    requirement="JSON text may contain any character (RFC 8259, 7); whether Campaign ever sends these is unknown. It "
    "never resends an event after 200 (vendor's webhook guide).",
    expected="200, and the text stored, if need be without NUL or with U+FFFD in its place; every other change is a "
    "hazard, the loss of an acknowledged event a violation",
    examine=_table(edge_cases.control_characters, only_losses=True),
    is_counted=True,
    assumes=("batch", "retry", "fields"),
    depends_on=("isolates-bad-event",),
    fix="If the store cannot hold NUL, replace it rather than reject the batch.",
    example="text.replace('\\0', '\\ufffd')",
    stage=Stage.AFTER_USUAL,
)


async def _stores_cut_characters(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(1))
    if bench.store.has_probe and not bench.store.is_read:
        await bench.store.stored()  # or it failed before, for another reason
    cases = bench.edge_cases(edge_cases.cut_characters)
    if not cases:
        raise SkipRule(Unmet(why=Precondition.NO_SUCH_FIELDS, variant=bench.event_type))
    accepted: list[tuple[Event, Response, Stimulus]] = []
    rejected: list[Response] = []
    for case in cases:
        event = case.applied(bench.event())
        stimulus = _batch([event], [case.seen()])
        delivery = await bench.deliver([event], attempts=2, sent=stimulus)
        response = delivery.response(stimulus)
        if delivery.accepted:
            accepted.append((event, response, stimulus))
        elif not isinstance(delivery.last, Responded) or not 400 <= delivery.last.status < 500:
            return failed(response, batches=[[event]], is_hazard=True)
        else:
            rejected.append(response)  # as JSON that no consumer need accept
    if accepted and bench.store.has_probe:
        try:
            wrong = await bench.store.difference_of([event for event, _, _ in accepted])
        except CouldNotTellError as error:
            event, response, _ = accepted[0]
            return failed(response, Inconclusive(message=str(error)), batches=[[event]], is_hazard=True)
        found: list[Examined] = []
        for event, response, stimulus in accepted if wrong else ():
            difference = await bench.store.difference_of([event])
            if difference:
                # No store with UTF-8 can hold the recipient that was sent, so only a loss is a violation.
                is_lost = bool(difference.missing or difference.missing_count)
                found.append(failed(response, difference.seen(stimulus), batches=[[event]], is_hazard=not is_lost))
        if found:
            return min(found, key=lambda one: one.is_hazard)
    return passed(*rejected) if rejected else passed(_confirmed(bench, cases))


STORES_CUT_CHARACTERS = Rule(
    id="stores-cut-characters",
    family="payload",
    level="must",
    title="Stores text that was cut off within a character",
    requirement="JSON text may contain half a surrogate pair (RFC 8259, 8.2), as where a name was cut off within an "
    "emoji; whether Campaign ever sends one is unknown. It never resends an event after 200 (vendor's webhook guide).",
    expected="200, and the text stored without that half or with U+FFFD in its place, or 400 (RFC 7493 forbids it); "
    "another status or change is a hazard, the loss of an acknowledged event a violation",
    examine=_stores_cut_characters,
    is_counted=True,
    assumes=("batch", "retry", "fields"),
    depends_on=("isolates-bad-event",),
    fix="Replace what UTF-8 cannot encode before you store or report it.",
    example="text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')",
    not_covered="Without a probe: whether they are stored, not only accepted.",
    stage=Stage.LAST,
)


_GENERATED_MAX = 20
"""Greatest number of events of a generated batch."""

_CASES_MAX = 3
"""Greatest number of edge cases in one event of a generated batch."""


def _generated(bench: Bench, cases: Sequence[EdgeCase]) -> SearchStrategy[list[tuple[EdgeCase, ...]]]:
    """Return a strategy for batches: the edge cases of each event, the plainest batch first."""
    from hypothesis import strategies as st

    texts = [field for field in bench.shape.of(Role.DEVICE, Role.OPERATING_SYSTEM, Role.BROWSER) if field.is_text]
    words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
    drawn = st.sampled_from(cases)
    if texts:
        drawn |= st.builds(lambda field, text: EdgeCase(path=field.path, value=text), st.sampled_from(texts), words)
    few = st.lists(drawn, max_size=_CASES_MAX).map(tuple)
    # Most events are ordinary, since one edge case among many ordinary events is the realistic case.
    return st.lists(st.one_of(st.just(()), few), min_size=1, max_size=min(_GENERATED_MAX, bench.shape.body.events_max))


def _applied(cases: Iterable[EdgeCase], event: Event) -> Event:
    for case in cases:
        event = case.applied(event)
    return event


async def _accepts_generated(bench: Bench) -> Examined:
    from mockcampaign.check.shrink import find_smallest

    plain = min(10, bench.shape.body.events_max)
    await must_deliver(bench, bench.events(plain))
    if bench.store.has_probe:
        await must_store(bench, plain)
        await must_distinguish(bench)
    possible: list[EdgeCase] = []
    for make in edge_cases.ALL:
        found = await _first_wrong(bench, make)
        if found is not None and not found.case.guessed:
            raise SkipRule(Unmet(why=Precondition.SINGLE_EDGE_CASE_FAILS), *found.facts)
        possible += [case for case in bench.edge_cases(make) if not case.guessed]

    async def ask(drawn: list[tuple[EdgeCase, ...]]) -> tuple[list[Event], tuple[AnyFact, ...]] | None:
        # Each has a mail and a time of its own: other rules ask how the consumer distinguishes events.
        events = [_applied(cases, bench.event()) for cases in drawn]
        seen = list(
            {(case.path, json_text.encode(case.value)): case.seen() for cases in drawn for case in cases}.values()
        )
        facts = await _wrong(bench, events, _batch(events, seen))
        return (events, facts) if facts else None

    worst = await find_smallest(
        _generated(bench, possible), ask, examples=bench.settings.examples, seed=f"payload:{bench.settings.seed}"
    )
    if worst is None:
        return passed(Confirmed(what=Confirmation.GENERATED_ACCEPTED, count=bench.settings.examples))
    events, facts = worst[1]
    return failed(*facts, batches=[events])


ACCEPTS_GENERATED_BATCHES = _rule(
    "accepts-generated-batches",
    "Accepts generated batches that combine edge cases",
    f"Events may hold whatever their schema allows (`mockcampaign schema events`) {_ASSUMED}.",
    "200, and each event stored once, with its known fields unchanged",
    _accepts_generated,
    _FIX,
    _EXAMPLE,
    depends_on=(
        "accepts-every-batch-size",
        "accepts-large-batch",
        "accepts-mixed-mailings",
        "stores-mixed-mailings",
        "stores-one-recipient-many-mails",
    ),
    draws=True,
)

PAYLOAD = (
    ACCEPTS_ABSENT_FIELDS,
    ACCEPTS_NULL_FIELDS,
    ACCEPTS_UNKNOWN_FIELDS,
    ACCEPTS_UNKNOWN_VALUES,
    STORES_UNKNOWN_TYPES,
    STORES_LARGE_IDS,
    STORES_RECIPIENT_ID_AS_TEXT,
    ACCEPTS_IPV6,
    STORES_TEXT_UNCHANGED,
    STORES_CONTROL_CHARACTERS,
    STORES_CUT_CHARACTERS,
    ACCEPTS_GENERATED_BATCHES,
)
