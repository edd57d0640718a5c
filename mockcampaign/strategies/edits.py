"""Edge cases of wild events: edits, each of which changes one event, or its relation to the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import product
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mockcampaign.model import EventType
from mockcampaign.policy import DAY, HOUR, INT64_MAX, SECOND
from mockcampaign.shape.builtin import FIELDS, NAMES, Path, builtin_shape
from mockcampaign.shape.field import TRAITS, WHOLE_NUMBERS, Event, Role, with_value, without_value

Change = Callable[[list[Event], int, Any], None]


class Edit(msgspec.Struct, frozen=True):
    """A change of one event, and the value for it."""

    change: Change
    value: Any

    def __call__(self, made: list[Event], index: int) -> None:
        self.change(made, index, self.value)


def has_field(event: Event, path: Path) -> bool:
    """Return whether the event has a field at this path, which may be null."""
    name, *inner = path
    if not isinstance(event, dict) or name not in event:
        return False
    return not inner or has_field(event[name], tuple(inner))


def _drop(made: list[Event], index: int, path: Path) -> None:
    made[index] = without_value(made[index], path)


def _set(made: list[Event], index: int, value: tuple[Path, Any]) -> None:
    path, content = value
    if has_field(made[index], path):
        made[index] = with_value(made[index], path, content)


def _add(made: list[Event], index: int, value: tuple[str, Any]) -> None:
    name, content = value
    made[index].setdefault(name, deepcopy(content))


def _twin(made: list[Event], index: int, value: None) -> None:
    if index:
        made[index] = deepcopy(made[index - 1])


def _move(made: list[Event], index: int, duration: int) -> None:
    """Set the time relative to the event before: 0 is the same millisecond, a negative duration is earlier."""
    if index:
        made[index] = _TIMED.at(made[index], _moment(made[index - 1]) + duration)


def _age(made: list[Event], index: int, duration: int) -> None:
    made[index] = _TIMED.at(made[index], max(map(_moment, made)) - duration)


def _moment(event: Event) -> int:
    moment = _TIMED.moment(event)
    assert moment is not None  # as all drawn events have one, and it is only moved unless it is pinned
    return moment


_TIMED = builtin_shape(EventType.OPEN)
"""A shape that has the time of events where all built-in shapes have it."""

# Values for the edits, the simplest first.

_EDGE_TEXTS = (
    *(
        "",
        " ",
        "unknown",
        "0",
        "null",
        "Windows 95",
        "Toaster 1.0",
        "x" * 300,
        "a\nb",
        "a\u0000b",
        "\ufeffa",
        "\u202eabc",
    ),
    *("<script>alert(1)</script>", "'; DROP TABLE events; --", "Ω≈ç", "Ubuntu Тихий", "浏览器", "متصفح", "cafe\u0301"),
    *("\U0001f4f1", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\u2028"),
)
_EDGE_RECIPIENTS = (
    *("0", "007", "anna@example.com", "anna.meier+news@example.com", "KD-004711", "9007199254740993"),
    *("anna@mañana.example", "山田@example.com", "a" * 64 + "@example.com", "\U0001f4e7", "O'Neil", " 12 "),
)
_EDGE_ADDRESSES = (
    "2001:db8::1",
    "::1",
    "::",
    "::ffff:192.0.2.1",
    "2001:db8:85a3:8d3:1319:8a2e:370:7348",
    "255.255.255.255",
)
_EDGE_LINKS = (
    "",
    "https://www.example.com/?a=1&b=%C3%A4#top",
    "https://example.com/" + "x" * 300,
    "mailto:a@example.com",
)
_EDGE_WORDS = ("", "HARDBOUNCE", "blocked")
_EDGE_NUMBERS = (0, 1, 2**31, 2**32, 2**53, 2**53 + 1, INT64_MAX)
_EDGE_FIELDS = (
    "extra",
    "user-agent",
    f"{NAMES[Role.NETWORK_ADDRESS]}2",
    "__proto__",
    "constructor",
    "id",
    "Type",
    "größe",
    "",
)
_EDGE_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    INT64_MAX,
    "",
    "text",
    [],
    {},
    [1, [2, [3]]],
    {"a": {"b": None}},
)


_EDGES: tuple[tuple[tuple[tuple[Role, ...], tuple[str, ...]], ...], ...] = (
    (((Role.NETWORK_ADDRESS,), _EDGE_ADDRESSES),),
    ((TRAITS, _EDGE_TEXTS),),
    (((Role.RECIPIENT,), _EDGE_RECIPIENTS), ((Role.LINK,), _EDGE_LINKS), ((Role.ENUMERATION,), _EDGE_WORDS)),
)
"""Values for fields of these roles. Each group is drawn as often as any other, however many values it has."""


def _of(editable: frozenset[Path], *roles: Role) -> list[Path]:
    return [path for path, field in FIELDS.items() if path in editable and field.role in roles]


def gaps_of(editable: frozenset[Path]) -> list[Edit]:
    """Return all edits that remove one of these fields, or set it to null, the simplest first.

    Absence is included twice, because consumers fail most often at that.
    """
    optional = [path for path, field in FIELDS.items() if path in editable and field.optional]
    absent, null = [Edit(_drop, path) for path in optional], [Edit(_set, (path, None)) for path in optional]
    return absent + null + absent


def numbers_of(editable: frozenset[Path]) -> list[Edit]:
    """Return all edits that set one of these numbers to a boundary, the simplest first."""
    return [Edit(_set, (path, number)) for number in _EDGE_NUMBERS for path in _of(editable, *WHOLE_NUMBERS)]


def edits_of(editable: frozenset[Path], *, related: bool) -> SearchStrategy[Edit]:
    """Return a strategy for all other edits, which fill only these fields.

    `related` says whether there may be an event before. Simple edits come first, because failing tests shrink to them.
    """
    choices: list[tuple[Change, Sequence[Any]]] = [
        (_set, [(path, text) for roles, texts in group for text, path in product(texts, _of(editable, *roles))])
        for group in _EDGES
    ]
    choices.append((_add, [(name, value) for value in _EDGE_VALUES for name in _EDGE_FIELDS]))
    if related:
        choices.append((_twin, [None]))
        if _of(editable, Role.MOMENT):
            choices += [(_move, (0, -1, -SECOND, -HOUR)), (_age, (3 * DAY - 10 * SECOND, 3 * DAY - HOUR, 2 * DAY))]
    kinds = [st.sampled_from([Edit(change, value) for value in values]) for change, values in choices if values]
    if traits := _of(editable, *TRAITS):
        kinds.append(st.builds(Edit, st.just(_set), st.tuples(st.sampled_from(traits), st.text(max_size=40))))
    return st.one_of(kinds)
