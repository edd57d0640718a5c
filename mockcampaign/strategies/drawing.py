"""Realistic events that shrink well: a few seeds for a whole batch, and one byte for each event.

A seed of 0 stands for the vendor's example in all events of a batch, a small seed for another constant. The fields of
an event, except its time, and the edits that hit it depend on its byte, not on its position, so that other events can
be removed. Hypothesis draws and shrinks all bytes at once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from mockcampaign.errors import InvalidInputError
from mockcampaign.events import Generator, field_values
from mockcampaign.events.event_json import DETAILS, Mails
from mockcampaign.events.people import Audience, person_address
from mockcampaign.events.random_words import RandomWords, WeightedChoice
from mockcampaign.events.rates import Rates
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_CLIENT_ID, DEFAULT_START, MINUTE, SECOND
from mockcampaign.shape.builtin import DEFAULTS, FIELDS, TYPES_WITH_ORIGIN, Path, builtin_shape
from mockcampaign.shape.field import TRAITS, Event, Role, with_value
from mockcampaign.shape.shape import BATCH_EVENTS_MAX, Shape
from mockcampaign.strategies.edits import Edit, edits_of, gaps_of, has_field, numbers_of

Pins = dict[str, Any]
"""Values, or strategies for them, by the names of fields."""

PinnedPaths = dict[Path, Any]
"""Pins by the paths of their fields."""

SHOWN_MAX = 20
"""Maximum number of events of a batch that are shown in full. Hypothesis warns above 30,000 characters."""

GROUPS = 8
"""An edit hits one event in this many, because one edge case among many ordinary events is the realistic case."""

EDITS_MAX, EDITS_MAX_ALONE = 10, 3
"""Maximum number of edits that fill fields: of a batch, and of a single event."""

GAPS_MAX, GAPS_MAX_ALONE = 12, 6
"""Maximum number of removed fields and values: of a batch, and of a single event.

Hypothesis derives four of five examples from others, so 100 examples are about 20 draws. An edge case that nearly every
run of 100 examples should contain must be in about one draw of three.
"""

NUMBERS_MAX, NUMBERS_MAX_ALONE = 10, 2
"""Maximum number of boundary values in numbers: of a batch, and of a single event. Nearly every run of 100 examples
should contain 0 and each other boundary in some number."""

RECIPIENTS_MAX = 100
"""Maximum number of recipients of a drawn mailing."""

LIVELY = Rates(opening=0.7, clicking=0.5, unsubscribing=0.05, complaining=0.05, hard_bouncing=0.05, scanned=0.05)
"""Rates of the mailings that `mailings` draws: few recipients with many events. Our choice."""

_SEEDS = st.integers(0, 0xFFFF)
_TYPES = st.sampled_from(EventType)
_RANDOM = RandomWords("strategies", "events")
_EXAMPLES = {kind: msgspec.json.encode(builtin_shape(kind).examples[0]) for kind in EventType}
_OPEN, _OPENED = builtin_shape(EventType.OPEN), builtin_shape(EventType.OPEN).examples[0]
_OF_ONE_MAIL = {
    path[0]
    for path, field in FIELDS.items()
    if field.role in (Role.RECIPIENT, Role.RECIPIENT_ADDRESS, Role.MOMENT, Role.SUBSCRIPTION, Role.MAIL)
}
_ADDRESSES = (_OPEN.get(_OPENED, Role.NETWORK_ADDRESS), "2001:db8::1")
_CLIENTS: tuple[field_values.Client, ...] = (
    tuple(_OPEN.get(_OPENED, role) for role in TRAITS),
    *dict.fromkeys(client for _, (_, client) in field_values.MAILBOXES),
    field_values.GOOGLE_PROXY,
    field_values.PRIVACY_PROXY,
)
"""Constants for small seeds, in all events of a batch. A failing test shrinks to one of these."""

_MIX = WeightedChoice(
    [*[(weight, client) for weight, (_, client) in field_values.MAILBOXES], (4000, field_values.GOOGLE_PROXY)]
)
"""Clients of batches with larger seeds, both people's and machines'."""


class Batch(list[Event]):
    """A batch whose `repr` is short even if the batch is long, because Hypothesis prints failing examples."""

    def __repr__(self) -> str:
        if len(self) <= SHOWN_MAX:
            return super().__repr__()
        first, *others = ({name: value for name, value in event.items() if name not in _OF_ONE_MAIL} for event in self)
        unlike = [index for index, other in enumerate(others, 1) if other != first]
        rest = f"<{len(self)} events like {self[0]!r}; {len(unlike)} of them differ in more than mail and time"
        return rest + "".join(f"; {index}: {self[index]!r}" for index in unlike[:SHOWN_MAX]) + ">"


class _Seeds(msgspec.Struct, frozen=True):
    """Seeds of a batch. 0 stands for the vendor's example, small numbers for other constants."""

    who: int
    where: int
    client: int
    when: int
    detail: int


@lru_cache(maxsize=32)
def _mails(number: int) -> Mails:
    audience = Audience(f"strategies:{number}")
    return Mails(audience, DEFAULT_CLIENT_ID, audience.mailing_id(0))


def _event(kind: EventType, seeds: _Seeds, variant: int, index: int) -> Event:
    shape = builtin_shape(kind)
    created = _moment_of_example(shape) + index
    if seeds.when:
        moment = _RANDOM.words(seeds.when << 16 | variant)[0]
        created = DEFAULT_START + seeds.when * MINUTE + index * SECOND + moment % SECOND
    detail = 0
    if seeds.detail and DETAILS[kind] > 1:
        detail = _RANDOM.words(1 << 32 | seeds.detail << 16 | variant)[0] % DETAILS[kind]
    if seeds.who:
        recipient = seeds.who + variant
        payload = _mails(seeds.who % 32).payloads(kind).payload
        event: Event = msgspec.json.decode(payload(created, recipient % field_values.LISTS, recipient, detail=detail))
    else:
        event = _like_example(shape, variant, created, detail)
    if kind in TYPES_WITH_ORIGIN:
        event = shape.put(event, Role.NETWORK_ADDRESS, _address(seeds.where, variant))
        for role, trait in zip(TRAITS, _client(seeds.client, variant), strict=True):
            event = shape.put(event, role, trait)
    return event


def _moment_of_example(shape: Shape) -> int:
    moment = shape.moment(shape.examples[0])
    assert moment is not None  # as each built-in event has one
    return moment


def _like_example(shape: Shape, variant: int, created: int, detail: int) -> Event:
    event: Event = shape.at(msgspec.json.decode(_EXAMPLES[shape.event_type]), created)
    if variant:
        local, at, domain = str(shape.get(event, Role.RECIPIENT_ADDRESS)).partition("@")
        event = shape.put(event, Role.RECIPIENT, str(int(shape.get(event, Role.RECIPIENT)) + variant))
        event = shape.put(event, Role.MAIL, f"{shape.get(event, Role.MAIL)[:-3]}{variant:03}")
        event = shape.put(event, Role.RECIPIENT_ADDRESS, f"{local}{variant}{at}{domain}")
    event = shape.put(event, Role.LINK, field_values.LINK_URL + field_values.LINKS[detail % len(field_values.LINKS)])
    for field in shape.of(Role.ENUMERATION):
        event = with_value(event, field.path, field.values[detail])
    return event


def _address(seed: int, variant: int) -> str:
    if seed < len(_ADDRESSES):
        return _ADDRESSES[seed]
    return person_address(_RANDOM.words(2 << 32 | seed << 16 | variant))


def _client(seed: int, variant: int) -> field_values.Client:
    if seed < len(_CLIENTS):
        return _CLIENTS[seed]
    return _MIX.choose(_RANDOM.words(3 << 32 | seed << 16 | variant)[0])


def one_of_type(kind: EventType | str | None, pins: Pins, *, wild: bool) -> SearchStrategy[Event]:
    """Return a strategy for one event, of any type if `kind` is None."""
    return batch_of(1, 1, kind, pins, wild=wild).map(lambda batch: batch[0])


def batch_of(
    min_size: int, max_size: int, kind: EventType | str | None, pins: Pins, *, wild: bool
) -> SearchStrategy[list[Event]]:
    """Return a strategy for batches. Raises `InvalidInputError` for impossible arguments."""
    if not 0 <= min_size <= max_size <= BATCH_EVENTS_MAX:
        raise InvalidInputError(
            f"batches of {min_size} to {max_size} events, allowed: 0 to {BATCH_EVENTS_MAX}, the smaller first"
        )
    named = None if kind is None else _kind(kind)
    return _drawn_batch(min_size, max_size, named, _pins(pins, named), wild)


@st.composite
def _drawn_batch(
    draw: DrawFn, min_size: int, max_size: int, named: EventType | None, pins: PinnedPaths, wild: bool
) -> list[Event]:
    kind = draw(_TYPES) if named is None else named
    person = kind in TYPES_WITH_ORIGIN
    seeds = _Seeds(
        draw(_SEEDS),
        draw(_SEEDS) if person else 0,
        draw(_SEEDS) if person else 0,
        draw(_SEEDS),
        draw(_SEEDS) if DETAILS[kind] > 1 else 0,
    )
    drawn = draw(_bytes(min_size, max_size))
    groups = max(1, min(GROUPS, max_size)) if wild else 1
    made = Batch(_event(kind, seeds, byte // groups, index) for index, byte in enumerate(drawn))
    _pin(draw, made, pins)
    if wild:
        for edits in _edits(_editable(DEFAULTS[kind], pins), groups):
            for group, edit in draw(edits):
                for index, byte in enumerate(drawn):
                    if byte % groups == group:
                        edit(made, index)
    return made


def mailing_of(max_recipients: int, rates: Rates, pins: Pins, *, wild: bool) -> SearchStrategy[list[Event]]:
    """Return a strategy for all events of a mailing. Raises `InvalidInputError` for impossible arguments."""
    if not 1 <= max_recipients <= RECIPIENTS_MAX:
        raise InvalidInputError(f"mailings to {max_recipients} recipients, allowed: 1 to {RECIPIENTS_MAX}")
    return _drawn_mailing(max_recipients, rates, _pins(pins, None), wild)


@st.composite
def _drawn_mailing(draw: DrawFn, max_recipients: int, rates: Rates, pins: PinnedPaths, wild: bool) -> list[Event]:
    recipients = draw(st.integers(1, max_recipients))
    seed = draw(_SEEDS)
    mailing = Generator(f"strategies:{seed}", DEFAULT_CLIENT_ID).mailing(recipients, DEFAULT_START, rates=rates)
    made = Batch(msgspec.json.decode(event.payload()) for event in mailing)
    _pin(draw, made, pins)
    if wild:
        for edits in _edits(_editable(_ALL, pins), GROUPS):
            for group, edit in draw(edits):
                for index in range(group, len(made), GROUPS):
                    edit(made, index)
    return made


@lru_cache(maxsize=256)
def _bytes(min_size: int, max_size: int) -> SearchStrategy[bytes]:
    if min_size == max_size:
        return st.just(b"\0") if max_size == 1 else st.binary(min_size=max_size, max_size=max_size)
    # Bytes of any size would rarely be many, and exactly as many as a drawn size would hardly shrink.
    return st.integers(min_size, max_size).flatmap(lambda size: st.binary(min_size=size, max_size=max_size))


@lru_cache(maxsize=256)
@lru_cache(maxsize=256)
def _edits(editable: frozenset[Path], groups: int) -> list[SearchStrategy[list[tuple[int, Edit]]]]:
    """Return strategies for edits. Removed fields and boundary numbers have their own, or each would be rare."""
    alone = groups == 1
    group = st.just(0) if alone else st.integers(0, groups - 1)
    made = [
        st.lists(st.sampled_from([(number, edit) for edit in edits for number in range(groups)]), max_size=most)
        for edits, most in (
            (gaps_of(editable), GAPS_MAX_ALONE if alone else GAPS_MAX),
            (numbers_of(editable), NUMBERS_MAX_ALONE if alone else NUMBERS_MAX),
        )
        if edits
    ]
    others = st.tuples(group, edits_of(editable, related=not alone))
    return [*made, st.lists(others, max_size=EDITS_MAX_ALONE if alone else EDITS_MAX)]


def _pin(draw: DrawFn, made: Batch, pins: PinnedPaths) -> None:
    for index in range(len(made)):
        for path, pin in pins.items():
            if has_field(made[index], path):
                made[index] = with_value(made[index], path, draw(pin) if isinstance(pin, SearchStrategy) else pin)


def _kind(kind: EventType | str) -> EventType:
    if kind not in list(EventType):
        raise InvalidInputError(f"type {kind!r} is unknown, allowed: {', '.join(EventType)}")
    return EventType(kind)


_ALL = tuple(path for path in FIELDS if any(path in paths for paths in DEFAULTS.values()))


def _pins(pins: Pins, kind: EventType | None) -> PinnedPaths:
    """Return the pins by path. A nested field is pinned by its dotted name, with two underscores for each dot, or with
    all of its object."""
    fields = [path for path in (_ALL if kind is None else DEFAULTS[kind]) if FIELDS[path].role is not Role.TYPE]
    allowed = {".".join(path): path for path in fields}
    whole = {path[0]: path[:1] for path in fields}
    pinned: PinnedPaths = {}
    for name, pin in pins.items():
        path = (allowed | whole).get(name.replace("__", "."))
        if path is None:
            raise InvalidInputError(f"field {name!r} cannot be pinned, allowed: {', '.join(allowed)}")
        pinned[path] = pin
    return pinned


def _editable(paths: tuple[Path, ...], pins: PinnedPaths) -> frozenset[Path]:
    """Return the fields that are not pinned."""
    return frozenset(path for path in paths if not any(path[: len(pinned)] == pinned for pinned in pins))
