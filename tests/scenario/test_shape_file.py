"""A shape file says everything about a shape, and corrects one in a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conventions import CONVENTIONS
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.scenario.language.nodes import DOCUMENT_BYTES_MAX
from mockcampaign.scenario.shape_file import read_shape, shape_yaml, shapes_with_corrections
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import Role
from mockcampaign.shape.infer import infer_shape
from mockcampaign.shape.shape import LIST, OBJECT, UNCERTAIN, Body, Shape

OPEN = {"type": "open", "recipientId": "4711", "mailingId": 5, "created": 1_564_590_054_000}


def saved(folder: Path, text: str, name: str = "shape.yaml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def captured(tmp_path: Path) -> Path:
    return saved(tmp_path, json.dumps([{**OPEN, "note": "4812", "flag": True}]), "captured.json")


# A file says everything


def test_a_file_as_users_see_it() -> None:
    event = {**OPEN, "link.to": "https://www.example.com/ä", "device": "tv"}
    lines = shape_yaml(infer_shape([event, OPEN])).splitlines()
    assert [line[0] for line in lines[:5]] == ["#"] * 5
    assert lines[5:] == [
        "type: open",
        "body: list",
        "fields:",
        "  type:        type                                          # named like the type of an event, and says open",
        "  recipientId: recipient                                     # named like a recipient's id",
        "  mailingId:   mailing                                       # named like a mailing's id",
        "  created:     moment                                        # named like the time of an event",
        '  "link\\\\.to": {role: link, optional: true}                  # looks like a URL',
        "  device:      {role: device, optional: true, values: [tv]}  # named like a device",
        "events: |",
        "  " + msgspec.json.encode(event).decode(),
        "  " + msgspec.json.encode(OPEN).decode(),
    ]


@pytest.mark.parametrize("name", CONVENTIONS)
def test_conventions_are_read_back(tmp_path: Path, name: str) -> None:
    shape = infer_shape([CONVENTIONS[name].event])
    assert read_shape(saved(tmp_path, shape_yaml(shape))) == shape


@pytest.mark.parametrize("kind", EventType)
def test_built_in_shapes_can_be_written(tmp_path: Path, kind: EventType) -> None:
    shape = builtin_shape(kind)
    again = read_shape(saved(tmp_path, shape_yaml(shape)))
    assert (again.event_type, again.examples, again.body) == (kind, shape.examples, shape.body)
    assert [(field.path, field.role, field.optional, field.values) for field in again.fields] == [
        (field.path, field.role, field.optional, field.values) for field in shape.fields
    ]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (LIST, "list"),
        (OBJECT, "object"),
        (UNCERTAIN, "list-or-object"),
        (Body('{"events":[', "]}"), "{events: list}"),
        (Body('{"a \\"b":[', "]}"), '{"a \\"b": list}'),
        (Body('{"v":1,"events":[', '],"n":2}'), r'"{\"v\":1,\"events\":[…],\"n\":2}"'),
        (Body('{"event":', "}", 1), r'"{\"event\":…}"'),
    ],
)
def test_bodies(tmp_path: Path, body: Body, text: str) -> None:
    shape = infer_shape([OPEN], body=body)
    written = shape_yaml(shape)
    assert f"\nbody: {text}\n" in written
    assert read_shape(saved(tmp_path, written)) == shape


def test_corrections_stay(tmp_path: Path, captured: Path) -> None:
    changes = "fields:\n  note: {role: enumeration, optional: true, values: [a, 1, 2.5, 1.0e+16, true, 'no']}\n"
    shape = read_shape(saved(tmp_path, changes), captured)
    [field] = [field for field in shape.fields if field.name == "note"]
    assert field.values == ("a", 1, 2.5, 1e16, True, "no")
    assert field.optional
    shape = msgspec.structs.replace(shape, replaced=())  # the file has only the pseudonyms
    assert read_shape(saved(tmp_path, shape_yaml(shape))) == shape
    empty = msgspec.structs.replace(shape, fields=tuple(_without_values(one) for one in shape.fields))
    assert read_shape(saved(tmp_path, shape_yaml(empty))) == empty


def _without_values(field: Any) -> Any:
    return msgspec.structs.replace(field, values=(), optional=False)


def test_too_large_events_are_rejected() -> None:
    shape = infer_shape([{**OPEN, "subject": "x" * DOCUMENT_BYTES_MAX}])
    with pytest.raises(
        InvalidInputError, match=r"^the events are larger than 1048576 bytes, allowed in a shape file: "
    ):
        shape_yaml(shape)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["no", "1e5", "~", "a@example.com", "2024-05-06T07:08:09Z", "https://www.example.com", "tv"])
)
NAMES = st.text(max_size=8) | st.sampled_from(["device", "category", "a.b", "a\\.b", "no", "1", "<<", "mailId", "? x"])
OBJECTS = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS, lambda one: st.lists(one, max_size=2) | st.dictionaries(NAMES, one, max_size=2), max_leaves=5
    ),
    max_size=5,
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(OBJECTS, min_size=1, max_size=3), st.sampled_from([LIST, UNCERTAIN, Body('{"":[', "]}")]))
@example([{"x" * 2000: "\U0001f600", "device": "\x00\x7f\x85\u2028\ufeff\ufffe\U000e0001", "a": -0.0}], LIST)
@example([{"category": "x", "a": {"b": 1}, "a.b": 2}, {"category": "\U000e0001\n"}], LIST)
def test_every_inferred_shape_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, events: list[dict[str, Any]], body: Body
) -> None:
    events = [{"type": "open", "recipientId": "4711", **event} for event in events]
    shape = inferred(events, body)
    if shape is None:
        return
    path = tmp_path_factory.getbasetemp() / "read-back.yaml"
    path.write_text(shape_yaml(shape), "utf-8")
    again = read_shape(path)
    assert again == shape
    assert json.dumps(again.examples) == json.dumps(shape.examples)


def inferred(events: list[dict[str, Any]], body: Body) -> Shape | None:
    try:
        return infer_shape(events, body=body, event_type=EventType.OPEN)
    except InvalidInputError:
        return None  # such as an empty recipientId


# A file corrects


def test_one_line_changes_one_guess(tmp_path: Path, captured: Path) -> None:
    shape = read_shape(saved(tmp_path, "fields: {note: recipient}\n"), captured)
    assert {field.name: field.role for field in shape.fields} == {
        "type": Role.TYPE,
        "recipientId": Role.ID,
        "mailingId": Role.MAILING,
        "created": Role.MOMENT,
        "note": Role.RECIPIENT,
        "flag": Role.OTHER,
    }
    assert shape.body == LIST


def test_type_and_body_can_be_corrected(tmp_path: Path, captured: Path) -> None:
    shape = read_shape(saved(tmp_path, "type: click\nbody: object\n"), captured)
    assert (shape.event_type, shape.body) == (EventType.CLICK, OBJECT)


def test_captured_events_stand_in_for_those_of_the_file(tmp_path: Path, captured: Path) -> None:
    whole = shape_yaml(infer_shape([OPEN]))
    assert read_shape(saved(tmp_path, whole), captured, replace_persons=None).examples == tuple(
        json.loads(captured.read_text())
    )


def test_persons_are_replaced_before_anything_is_shown(tmp_path: Path, captured: Path) -> None:
    def replaced(events: Any, keep: Any) -> Any:
        assert set(keep) == {"flag"}
        return [{**event, "note": "0000"} if event else event for event in events]

    file = saved(tmp_path, "fields: {note: text}\n")
    shape = read_shape(file, captured, replace_persons=replaced, keep=["flag"])
    assert shape.examples[0]["note"] == "0000"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (
            "fields:\n  note: recipeint\n",
            "2:9",
            "unknown value 'recipeint', did you mean 'recipient'? (allowed: type, ",
        ),
        ("fields:\n  nose: text\n", "2:3", "unknown field 'nose', did you mean 'note'? (allowed: type, recipientId, "),
        (
            "fields:\n  note: mailing\n  mailingId: mailing\n",
            "3:3",
            "role mailing: note plays it already, allowed: one field, and id for others",
        ),
        ("fields:\n  flag: mail\n", "2:3", "field flag: true cannot be a mail, allowed: enumeration, other"),
        (
            "fields:\n  recipientId: text\n  note: text\n  mailingId: other\n",
            "2:3",
            "no field identifies a mail, allowed: a field of text or whole numbers with a role such as mail",
        ),
        ("fields:\n  note: {optional: true}\n", "2:9", "key 'role' is missing (allowed: role, optional, values)"),
        ("fields: {note: text, note: id}\n", "1:22", "duplicate key 'note', first in line 1"),
        ("type: clik\n", "1:7", "unknown value 'clik', did you mean 'click'? (allowed: open, click, "),
        ("body: lists\n", "1:7", "'lists' is no body, allowed: list, object, list-or-object, or JSON with … for the"),
        ("body: '{\"events\":[…]'\n", "1:7", "'{\"events\":[…]' is no body, allowed: list, object, "),
        ("body: {a: list, b: list}\n", "1:7", "expected one name, allowed: {NAME: list}, such as {events: list}"),
        ("body: {a: object}\n", "1:11", "unknown value 'object' (allowed: list)"),
        ("events: |\n  {}\n", "1:9", "line 1 of the events is no event, allowed: a JSON object in each line"),
        ('events: |\n  {"a":1}\n\n  [\n', "1:9", "line 3 of the events is no event, allowed: a JSON object in each"),
        ("events: ''\n", "1:9", "contains no event, allowed: a JSON object in each line"),
        ("event: x\n", "1:1", "unknown key 'event', did you mean 'events'? (allowed: type, body, fields, events)"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(
    tmp_path: Path, captured: Path, text: str, place: str, message: str
) -> None:
    path = saved(tmp_path, text)
    with pytest.raises(InvalidInputError) as rejected:
        read_shape(path, captured)
    assert str(rejected.value).startswith(f"{path}:{place}: {message}")
    assert "\n" not in str(rejected.value)


def test_a_file_without_events_needs_captured_ones(tmp_path: Path) -> None:
    path = saved(tmp_path, "fields: {note: recipient}\n")
    with pytest.raises(InvalidInputError) as rejected:
        read_shape(path)
    assert str(rejected.value) == (
        f"{path}:1:1: the file has no events, allowed: the key events, or captured events by --like FILE"
    )


def test_a_correction_applies_to_the_captured_events_of_its_type(tmp_path: Path) -> None:
    likes = []
    for kind in (EventType.OPEN, EventType.CLICK):
        path = tmp_path / f"{kind}.json"
        path.write_text(f'[{{"event": "{kind}", "mail_ref": "m-7f3a9c41", "tenant": "nordwind-de"}}]')
        likes.append((kind, path))
    (tmp_path / "fix.yaml").write_text("type: click\nfields: {tenant: text}\n")
    opens, clicks = shapes_with_corrections(likes, [tmp_path / "fix.yaml"])
    assert (opens.event_type, clicks.event_type) == (EventType.OPEN, EventType.CLICK)
    roles = [{field.name: field.role for field in shape.fields}["tenant"] for shape in (opens, clicks)]
    assert roles == [Role.CLIENT, Role.TEXT]
    (tmp_path / "fix.yaml").write_text("fields: {tenant: text}\n")
    [corrected] = shapes_with_corrections(likes[1:], [tmp_path / "fix.yaml"])
    assert corrected == clicks
    with pytest.raises(InvalidInputError, match="allowed: the key type with one of open, click"):
        shapes_with_corrections(likes, [tmp_path / "fix.yaml"])
    with pytest.raises(InvalidInputError, match="contains click events and not open"):
        shapes_with_corrections([(EventType.OPEN, likes[1][1])], [tmp_path / "fix.yaml"])
    with pytest.raises(InvalidInputError, match="the file has no events"):
        shapes_with_corrections([], [tmp_path / "fix.yaml"])
