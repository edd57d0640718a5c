"""Edge cases of wild events: edits, each of which changes one event, or its relation to the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mockcampaign.events.fields import FIELDS
from mockcampaign.policy import DAY, HOUR, INT64_MAX, SECOND

Event = dict[str, Any]

Change = Callable[[list[Event], int, Any], None]


class Edit(msgspec.Struct, frozen=True):
    """A change of one event, and the value for it."""

    change: Change
    value: Any

    def __call__(self, made: list[Event], index: int) -> None:
        self.change(made, index, self.value)


def _drop(made: list[Event], index: int, name: str) -> None:
    made[index].pop(name, None)


def _set(made: list[Event], index: int, value: tuple[str, Any]) -> None:
    name, content = value
    if name in made[index]:
        made[index][name] = content


def _add(made: list[Event], index: int, value: tuple[str, Any]) -> None:
    name, content = value
    made[index].setdefault(name, deepcopy(content))


def _twin(made: list[Event], index: int, value: None) -> None:
    if index:
        made[index] = dict(made[index - 1])


def _move(made: list[Event], index: int, duration: int) -> None:
    """Set `created` relative to the event before: 0 is the same millisecond, a negative duration is earlier."""
    if index:
        made[index]["created"] = made[index - 1]["created"] + duration


def _age(made: list[Event], index: int, duration: int) -> None:
    made[index]["created"] = max(event["created"] for event in made) - duration


# Values for the edits, the simplest first.

_OPTIONAL = tuple(name for name, field in FIELDS.items() if field.optional)
_NUMBERS = ("userListId", "clientId", "mailingId", "subscriptionId", "linkId")
_NAMES = ("device", "operatingSystem", "browser")
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
_EDGE_NUMBERS = (0, 1, 2**31, 2**32, 2**53, 2**53 + 1, INT64_MAX)
_EDGE_FIELDS = ("extra", "user-agent", "remoteAddress2", "__proto__", "constructor", "id", "Type", "größe", "")
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


def gaps_of(editable: frozenset[str]) -> list[Edit]:
    """Return all edits that remove one of these fields, or set it to null, the simplest first.

    Absence is included twice, because consumers fail most often at that.
    """
    optional = [name for name in _OPTIONAL if name in editable]
    absent, null = [Edit(_drop, name) for name in optional], [Edit(_set, (name, None)) for name in optional]
    return absent + null + absent


def numbers_of(editable: frozenset[str]) -> list[Edit]:
    """Return all edits that set one of these numbers to a boundary, the simplest first."""
    return [Edit(_set, (name, number)) for number in _EDGE_NUMBERS for name in _NUMBERS if name in editable]


def edits_of(editable: frozenset[str], *, related: bool) -> SearchStrategy[Edit]:
    """Return a strategy for all other edits, which fill only these fields.

    `related` says whether there may be an event before. Simple edits come first, because failing tests shrink to them.
    """
    names = [name for name in _NAMES if name in editable]
    choices: list[tuple[Change, Sequence[Any]]] = [
        (_set, [("remoteAddress", address) for address in _EDGE_ADDRESSES if "remoteAddress" in editable]),
        (_set, [(name, text) for text in _EDGE_TEXTS for name in names]),
        (_set, [("recipientId", text) for text in _EDGE_RECIPIENTS if "recipientId" in editable]),
        (_add, [(name, value) for value in _EDGE_VALUES for name in _EDGE_FIELDS]),
    ]
    if related:
        choices.append((_twin, [None]))
        if "created" in editable:
            choices += [(_move, (0, -1, -SECOND, -HOUR)), (_age, (3 * DAY - 10 * SECOND, 3 * DAY - HOUR, 2 * DAY))]
    kinds = [st.sampled_from([Edit(change, value) for value in values]) for change, values in choices if values]
    if names:
        kinds.append(st.builds(Edit, st.just(_set), st.tuples(st.sampled_from(names), st.text(max_size=40))))
    return st.one_of(kinds)
