"""What a probe reports again is decoded and searched once, and the result is the same as if it were done again."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mockcampaign import json_text
from mockcampaign.check.probes.stored_list import ListReader, StoredList, events_of
from mockcampaign.model import EventType
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import EventField, Role
from mockcampaign.shape.shape import Shape

OPEN = builtin_shape(EventType.OPEN)
BY_RECIPIENT = Shape(
    event_type=EventType.OPEN,
    fields=(EventField(path=("who", "id"), role=Role.RECIPIENT, source="captured", reason="", example="r"),),
    examples=({"who": {"id": "r"}},),
)
"""A shape with another key, which has two names."""

mails = st.sampled_from(["a", "b", "c"])
elements = st.one_of(
    st.builds(lambda mail, number: {"mailId": mail, "number": number}, mails, st.integers(0, 9)),
    st.builds(lambda mail: {"who": {"id": mail}}, mails),
    st.sampled_from([None, 0, 1.0, True, "]", ",", "\ud83d", "\ud83d\ude00", [], [1], {}, {"mailId": None}]),
)
layouts = st.sampled_from([{"separators": (",", ":")}, {}, {"indent": 2}, {"ensure_ascii": False}])
slips = st.sampled_from(["", "\n", " ", ",", "]", "[", "1", '"', "0]", ",]", "x"])


@st.composite
def histories(draw: st.DrawFn) -> list[bytes]:
    """The responses of a probe: mostly lists that grow, and whatever else there may be in between."""
    found: list[Any] = []
    texts: list[bytes] = []
    layout = draw(layouts)
    for _ in range(draw(st.integers(1, 6))):
        change = draw(st.sampled_from(["grow", "grow", "grow", "again", "shrink", "edit", "layout", "no list"]))
        if change == "grow":
            found = [*found, *draw(st.lists(elements, max_size=3))]
        elif change == "shrink":
            found = found[: draw(st.integers(0, len(found)))]
        elif change == "edit":
            found = [draw(elements), *found[1:]]
        elif change == "layout":
            layout = draw(layouts)
        whole: Any = {"events": found} if change == "no list" else found
        text = json.dumps(whole, **layout).encode("utf-8", "replace")
        slip = draw(slips).encode()
        at = draw(st.integers(0, 3)) if slip else 0  # near the end, where one text continues the other
        texts.append(text[: len(text) - at] + slip + text[len(text) - at :])
    return texts


def decoded_by(decode: Any, text: bytes) -> bytes | str:
    """Return what is decoded, so that 1 differs from 1.0 and True, or that it is not JSON."""
    try:
        return repr(decode(text)).encode("utf-8", "backslashreplace")
    except msgspec.DecodeError as error:
        return str(error)


def searched(elements: list[Any], mails: set[tuple[str]], shapes: tuple[Shape, ...]) -> list[Any]:
    return [event for event in elements if any(shape.key(event) in mails for shape in shapes)]


@given(histories())
@example([b"[1]", b"[1.5]"])
@example([b"[1]", b"[1,]"])
@example([b"[1]", b"[1 ]", b"[1 2]"])
@example([b"[]", b"[,1]"])
@example([b"[1]", b"[1]]"])
@example([b'["a"]', b'["a"b]'])
@example([b'["\\ud83d"]', b'["\\ud83d","\\ude00"]'])
@example([b'[{"mailId":"a"}]', b'[{"mailId":"a"},1]', b"[1]", b'[1,{"mailId":"a"}]'])
def test_a_response_is_decoded_as_if_there_had_been_none_before(texts: list[bytes]) -> None:
    reader = ListReader()
    for text in texts:
        assert decoded_by(reader.decode, text) == decoded_by(json_text.decode, text)
        with contextlib.suppress(msgspec.DecodeError):
            listed = reader.decode(text)
            if isinstance(listed, list):
                assert events_of(listed, {("a",)}, (OPEN,)) == searched(listed, {("a",)}, (OPEN,))


def test_what_was_reported_before_is_not_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[bytes] = []

    def decode(text: bytes) -> Any:
        texts.append(text)
        return msgspec.json.decode(text)

    monkeypatch.setattr(json_text, "decode", decode)
    reader = ListReader()
    first = reader.decode(b'[{"mailId":"a"}]')
    second = reader.decode(b'[{"mailId":"a"},{"mailId":"b"}]')
    assert second[0] is first[0]
    assert isinstance(second, StoredList)
    assert texts == [b'[{"mailId":"a"}]', b'[0,{"mailId":"b"}]']


@given(
    st.lists(st.tuples(st.lists(elements, max_size=5), st.sets(mails), st.booleans()), min_size=1, max_size=5),
    st.data(),
)
def test_the_events_of_mails_are_those_that_a_search_finds(
    readings: list[tuple[list[Any], set[str], bool]], data: st.DataObject
) -> None:
    listed = StoredList(())
    lists: list[list[Any]] = []
    for more, _, continues in readings:
        listed = StoredList([*listed, *more], listed) if continues else StoredList(more)
        lists.append(data.draw(st.sampled_from([listed, list(listed)])))
    # Also of a list that others begin with, in whatever order they are asked.
    for number in data.draw(st.permutations(range(len(lists)))):
        asked, wanted = lists[number], {(mail,) for mail in readings[number][1]}
        shapes = data.draw(st.sampled_from([(OPEN,), (BY_RECIPIENT,), (OPEN, BY_RECIPIENT)]))
        assert list(map(id, events_of(asked, wanted, shapes))) == list(map(id, searched(asked, wanted, shapes)))


def test_a_list_does_not_have_the_events_of_a_longer_one() -> None:
    one, other = {"mailId": "a", "number": 1}, {"mailId": "a", "number": 2}
    first = StoredList([one])
    second = StoredList([other], first)
    assert events_of(second, {("a",)}, (OPEN,)) == [one, other]
    assert events_of(first, {("a",)}, (OPEN,)) == [one]
