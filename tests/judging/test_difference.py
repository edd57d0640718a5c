"""Differences between stored and delivered events: which event is which, and how a sentence names it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from counting import calls_of
from mockcampaign.judging.consumer_store import canonical
from mockcampaign.judging.difference import difference, own_events
from mockcampaign.model import EventType
from mockcampaign.report import sentences
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import EventField, Role
from mockcampaign.shape.shape import Shape

OWN: dict[str, Any] = {"kind": "CLICKED", "mail": {"ref": "A-10001"}, "at": "2019-07-31T16:20:54Z", "url": "/a"}
SHAPE = Shape(
    event_type=EventType.CLICK,
    fields=tuple(
        EventField(path=path, role=role, source="captured", reason="", example=example)
        for path, role, example in (
            (("kind",), Role.TYPE, "CLICKED"),
            (("mail", "ref"), Role.MAIL, "A-10001"),
            (("at",), Role.MOMENT, "2019-07-31T16:20:54Z"),
            (("url",), Role.LINK, "/a"),
        )
    ),
    examples=(OWN,),
    is_captured=True,
)
"""A shape that shares no name with the built-in ones."""


def counted(*events: dict[str, Any]) -> Counter[bytes]:
    return Counter(map(canonical, events))


def test_an_altered_event_is_the_missing_one_of_the_same_mail_and_named_by_its_fields() -> None:
    [sent] = builtin_shape(EventType.BOUNCE).examples
    other = {**sent, "mailId": "AAAAAAAA-AAAAAAAA-AAAAAA"}
    stored = {**sent, "category": "softbounce"}
    found = difference(counted(sent, other), counted(sent, other), counted(stored, other))
    assert (found.missing, found.surplus, found.altered) == ((), (), ((canonical(sent), canonical(stored)),))
    [shown] = found.events()
    assert shown.event == (
        "type=bounce mailId=3IHQ2XT8-38PY7WFQ-XKNQSY recipientId=123456789005 created=2019-07-31T16:20:54.000Z"
    )
    assert [(change.name, change.sent, change.stored) for change in shown.changes] == [
        ("category", '"hardbounce"', '"softbounce"')
    ]


def test_a_shape_of_the_callers_says_which_event_is_which_and_names_it() -> None:
    other = {**OWN, "mail": {"ref": "B-20002"}}
    stored = {**OWN, "url": "/b"}
    found = difference(counted(OWN, other), counted(OWN, other), counted(stored, other), SHAPE)
    assert found.altered == ((canonical(OWN), canonical(stored)),)
    [shown] = found.events()
    assert shown.event == "kind=CLICKED mail.ref=A-10001 at=2019-07-31T16:20:54.000Z"


def test_events_of_other_mails_are_somebody_elses() -> None:
    other = {**OWN, "mail": {"ref": "B-20002"}}
    unnamed = {**OWN, "mail": {"ref": ["no", "id"]}}
    assert own_events(map(canonical, (OWN, other, unnamed)), [canonical(OWN)], SHAPE) == [
        canonical(OWN),
        canonical(unnamed),
    ]


def test_events_without_a_mail_are_somebody_elses_only_by_their_client_or_mailing() -> None:
    [sent] = builtin_shape(EventType.OPEN).examples
    unnamed = {**sent, "mailId": None}
    projected = {"created": sent["created"]}
    others = [{**unnamed, "clientId": 1}, {**unnamed, "mailingId": 2}, {**unnamed, "mailingId": [3]}]
    stored = [canonical(event) for event in (sent, unnamed, projected, *others)]
    # A sent event that names no mail does not make others' events own ones.
    for ours in ([sent], [sent, unnamed]):
        assert own_events(stored, map(canonical, ours)) == stored[:3]


def test_the_nearest_of_several_missing_events_is_the_original_and_equal_ones_count_separately() -> None:
    near, far = OWN, {**OWN, "url": "/b", "at": "2019-07-31T16:20:55Z"}
    stored = {**OWN, "kind": "clicked"}
    found = difference(counted(far, near, near), counted(far, near, near), counted(stored, stored), SHAPE)
    assert found.altered == ((canonical(near), canonical(stored)),) * 2
    assert (found.missing, found.surplus) == ((canonical(far),), ())


def test_the_work_grows_with_the_number_of_altered_events() -> None:
    def compared(count: int) -> int:
        events = [{**OWN, "mail": {"ref": f"A-{number}"}} for number in range(count)]
        sent, stored = counted(*events), counted(*({**event, "url": "/b"} for event in events))
        return calls_of(lambda: difference(sent, sent, stored, SHAPE))

    assert compared(200) <= 2.2 * compared(100)


def test_equal_differences_are_one_in_a_set() -> None:
    event = canonical(OWN)
    found = [difference(Counter([event]), Counter([event]), Counter(), SHAPE) for _ in range(2)]
    assert len(set(found)) == 1


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.0, -0.5, "", "A"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "mailId"]), inner, max_size=2),
    max_leaves=4,
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["mailId", "mail_id", "type", "created"]), VALUES), max_size=3)
"""Elements of a store that have little or nothing of an event."""


@given(sent=ROWS, stored=ROWS)
@settings(max_examples=200, deadline=None)
def test_no_sentence_ends_before_it_has_named_an_event(
    sent: list[dict[str, Any]], stored: list[dict[str, Any]]
) -> None:
    found = difference(counted(*sent), counted(*sent), counted(*stored))
    if found:
        said = sentences.difference_of(found.seen())
        for broken in ("first ", "first: ", "first  and", "first and", ": "):
            assert not said.endswith(broken), said
        assert "first  " not in said
        assert ", first and" not in said


def test_an_element_without_any_field_of_an_event_is_named_by_its_own() -> None:
    found = difference(Counter(), Counter(), counted({"mail_id": "A", "kind": "o"}, {}))
    assert "first an element with" in sentences.difference_of(found.seen())
