"""CapturedEvents events are read from whatever file a user has, without persons, within limits."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from conventions import CONVENTIONS
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.shape.captured import CAPTURED_BYTES_MAX, read_captured, shape_of_file
from mockcampaign.shape.field import Role, value_at, with_value
from mockcampaign.shape.infer import DEPTH_MAX, FIELDS_MAX, infer_shape
from mockcampaign.shape.moment import read_moment
from mockcampaign.shape.shape import LIST, UNCERTAIN, Body
from mockcampaign.shape.vocabulary import event_type_of
from places import ROOT

OPEN = {"type": "open", "recipientId": "4711", "mailingId": 5, "created": 1_564_590_054_000}
CLICK = {**OPEN, "type": "click", "link": "https://www.example.com"}


read_as_it_is = functools.partial(read_captured, replace_persons=None)
shape_as_it_is = functools.partial(shape_of_file, replace_persons=None)


def saved(folder: Path, content: object, name: str = "captured.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


# Forms of files


def test_a_list_is_a_body(tmp_path: Path) -> None:
    captured = read_as_it_is(saved(tmp_path, [OPEN, OPEN]))
    assert (captured.events, captured.body) == ((OPEN, OPEN), LIST)


def test_one_event_may_be_a_body_or_not(tmp_path: Path) -> None:
    captured = read_as_it_is(saved(tmp_path, OPEN))
    assert (captured.events, captured.body) == ((OPEN,), UNCERTAIN)


@pytest.mark.parametrize("name", ["captured.jsonl", "captured.NDJSON"])
def test_lines_are_events_or_bodies(tmp_path: Path, name: str) -> None:
    lines = "\n".join(json.dumps(one) for one in (OPEN, CLICK)) + "\n"
    assert read_as_it_is(saved(tmp_path, lines, name)).events == (OPEN, CLICK)
    assert read_as_it_is(saved(tmp_path, lines, name)).body == UNCERTAIN
    bodies = "\n".join(json.dumps(one) for one in ([OPEN, OPEN], [OPEN]))
    assert read_as_it_is(saved(tmp_path, bodies, name)).events == (OPEN, OPEN, OPEN)
    assert read_as_it_is(saved(tmp_path, bodies, name)).body == LIST


@pytest.mark.parametrize(
    ("outer", "prefix", "suffix"),
    [
        ({"events": [OPEN, OPEN]}, '{"events":[', "]}"),
        ({"v": 1, "items": [OPEN, OPEN], "n": "…"}, '{"v":1,"items":[', r'],"n":"\u2026"}'),
        ({"data": {"list": [OPEN, OPEN]}, "x": []}, '{"data":{"list":[', ']},"x":[]}'),
        ({"id": "batch-7", "type": "batch", "events": [OPEN, OPEN]}, '{"id":"batch-7","type":"batch","events":[', "]}"),
    ],
)
def test_an_object_around_a_list_stays(tmp_path: Path, outer: dict[str, Any], prefix: str, suffix: str) -> None:
    captured = read_as_it_is(saved(tmp_path, outer))
    assert captured.events == (OPEN, OPEN)
    assert captured.body == Body(prefix, suffix)
    assert json.loads(captured.body.of(captured.events)) == outer


def test_an_object_around_a_list_may_say_the_type(tmp_path: Path) -> None:
    inner = {"recipientId": "4711", "created": 1_564_590_054_000}
    path = saved(tmp_path, {"event": "clicked", "recipients": [inner]})
    assert read_as_it_is(path).events == (inner,)
    shape = shape_as_it_is(path)
    assert (shape.event_type, shape.body.prefix) == (EventType.CLICK, '{"event":"clicked","recipients":[')


@pytest.mark.parametrize("name", CONVENTIONS)
def test_no_convention_is_an_object_around_a_list(tmp_path: Path, name: str) -> None:
    event = CONVENTIONS[name].event
    assert read_as_it_is(saved(tmp_path, event)).events == (event,)
    with_links = {**event, "links": [{"url": "https://www.example.com", "id": 1}]}
    assert read_as_it_is(saved(tmp_path, with_links)).events == (with_links,)


def test_the_events_of_a_journal(tmp_path: Path) -> None:
    journal = sorted((ROOT / "fixtures" / "journals").glob("*.jsonl"))[0]
    captured = read_as_it_is(journal)
    assert captured.body == LIST
    assert shape_as_it_is(journal, event_type=EventType.OPEN).field(Role.MAIL) is not None
    assert {event["type"] for event in captured.events} >= {"open"}


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "captured.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps([OPEN]).encode())
    assert read_as_it_is(path).events == (OPEN,)


@pytest.mark.parametrize("name", ["captured.json", "captured.jsonl"])
def test_half_a_character_is_one_that_cannot_be_represented(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, json.dumps({**OPEN, "browser": "a\ud83d"}), name)
    assert read_as_it_is(path).events == ({**OPEN, "browser": "a\ufffd"},)


def test_the_first_line_of_a_layout_decides_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inferred = []

    def infer(*arguments: Any, **named: Any) -> Any:
        inferred.append(arguments)
        return infer_shape(*arguments, **named)

    monkeypatch.setattr("mockcampaign.shape.captured.infer_shape", infer)

    def inferences(*lines: dict[str, Any]) -> int:
        inferred.clear()
        path = saved(tmp_path, "\n".join(map(json.dumps, lines)), "captured.jsonl")
        assert len(read_captured(path, replace_persons=None).events) == sum(len(line["events"]) for line in lines)
        return len(inferred)

    one, other = {"id": "b-1", "events": [OPEN]}, {"batch": 7, "events": [OPEN, OPEN]}
    assert inferences(*[one] * 50) == inferences(one)
    assert inferences(*[one, other] * 50) == inferences(one) + inferences(other)


# Persons


def blot_out(events: Sequence[dict[str, Any]], keep: Collection[str]) -> list[dict[str, Any]]:
    """Replace every text and number, so that nothing has its format any more."""

    def blotted(value: Any, path: str) -> Any:
        if path in keep:
            return value
        if isinstance(value, dict):
            return {name: blotted(inner, f"{path}.{name}" if path else name) for name, inner in value.items()}
        if isinstance(value, list):
            return [blotted(inner, path) for inner in value]
        return "#" if isinstance(value, str) else 7 if isinstance(value, int | float) else value

    return [blotted(event, "") for event in events]


@pytest.mark.parametrize("name", CONVENTIONS)
def test_roles_come_from_the_values_before_persons_are_replaced(tmp_path: Path, name: str) -> None:
    convention = CONVENTIONS[name]
    shape = shape_of_file(saved(tmp_path, convention.event), replace_persons=blot_out)
    before = shape_as_it_is(saved(tmp_path, convention.event))
    for field, known in zip(shape.fields, before.fields, strict=True):
        # A text that is no time any more cannot stand for one.
        assert field.role is (Role.OTHER if known.role is Role.OTHER_MOMENT else known.role), field.name
    # Types and times are still some.
    [expected] = blot_out([convention.event], [])
    for role in (Role.TYPE, Role.MOMENT):
        if (one := shape.field(role)) is not None:
            expected = with_value(expected, one.path, one.example)
            assert event_type_of(one.example) is event_type_of(value_at(convention.event, one.path))
            assert (read_moment(one.example) is None) is (role is Role.TYPE)
    assert shape.examples == (expected,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("birthdate", "2012-05-01"),
        ("geboren", 1_714_557_600_000),
        ("geboren_am", "2012-05-01T10:11:12+02:00"),
        ("durchwahl", 1_714_557_600),
        ("geburts_datum", "1714557600"),
    ],
)
def test_a_time_that_its_name_does_not_say_is_another_one_in_the_same_format(
    tmp_path: Path, name: str, value: object
) -> None:
    event = {"type": "open", "recipientId": "4711", name: value}
    twin, later = {**event, "recipientId": "4712"}, {**event, name: "2013-06-02" if value == "2012-05-01" else value}
    captured = read_captured(saved(tmp_path, [event, twin, later]))
    found = [one[name] for one in captured.events]
    assert str(value) not in map(str, found)
    assert found[0] == found[1]
    assert {type(one) for one in found} == {type(value)}
    assert len(str(found[0])) == len(str(value))
    if captured.shape().name(Role.MOMENT) == name:
        assert read_moment(found[0]) is not None


def test_a_field_that_is_kept_is_kept_with_its_time(tmp_path: Path) -> None:
    event = {"type": "open", "recipientId": "4711", "durchwahl": 1_714_557_600}
    assert read_captured(saved(tmp_path, [event]), keep=["durchwahl"]).events[0]["durchwahl"] == 1_714_557_600


@pytest.mark.parametrize("name", ["created", "zeitpunkt", "eventTime", "occurred_at", "Zeit"])
def test_a_time_that_its_name_says_stays(tmp_path: Path, name: str) -> None:
    event = {"type": "open", "recipientId": "4711", name: 1_714_557_600_000}
    assert read_captured(saved(tmp_path, [event])).events[0][name] == event[name]


@pytest.mark.parametrize(
    ("name", "said", "pattern"),
    [
        ("event", "Mustermann", r"[A-Z][a-z]{9}"),
        ("event", "Erika Mustermann", r"[A-Z][a-z]{4} [A-Z][a-z]{9}"),
        ("event", "mustermann.mail.opened", r"[a-z]{10}\.mail\.opened"),
        ("ereignis", "ErikaClicked", r"[A-Z][a-z]{4}Clicked"),
        ("ereignis", "geöffnet", "geöffnet"),
        ("event", "message.opened", r"message\.opened"),
        ("event", "Opt out", "Opt out"),
        ("event", "hard_bounce", "hard_bounce"),
    ],
)
def test_only_words_for_types_stay_of_a_type(tmp_path: Path, name: str, said: str, pattern: str) -> None:
    event = {name: said, "recipientId": "4711", "created": 1_714_557_600_000}
    captured = read_captured(saved(tmp_path, [event]), event_type=EventType.OPEN)
    [found] = captured.events
    assert re.fullmatch(pattern, found[name])
    assert (found[name] == said) is (pattern.replace("\\", "") == said)
    assert event_type_of(found[name]) is event_type_of(said)


def test_a_name_among_types_and_times_is_replaced(tmp_path: Path) -> None:
    events = [OPEN, {**OPEN, "created": "Erika Mustermann"}, {**OPEN, "type": {"of": "Erika"}}]
    assert "Erika" not in repr(read_captured(saved(tmp_path, events)).events)


def test_persons_around_the_events_are_replaced_too(tmp_path: Path) -> None:
    path = saved(tmp_path, {"owner": "anna@example.com", "events": [{**OPEN, "note": "Anna"}], "size": 1})
    captured = read_captured(path, replace_persons=blot_out, keep=["mailingId"])
    assert captured.body == Body('{"owner":"#","events":[', '],"size":7}')
    assert captured.events == ({**OPEN, "recipientId": "#", "note": "#"},)


def test_known_names_of_fields_stay(tmp_path: Path) -> None:
    def renamed(events: Sequence[dict[str, Any]], keep: Collection[str]) -> list[dict[str, Any]]:
        return [{name if name.isalpha() else f"x{name}": one for name, one in event.items()} for event in events]

    event = {**OPEN, "Mailing List": 3, "Anna Meier": 1, "order-no": "77123"}
    captured = read_captured(saved(tmp_path, [event]), replace_persons=renamed)
    assert captured.events == ({**OPEN, "Mailing List": 3, "xAnna Meier": 1, "order-no": "77123"},)


def test_a_corrected_role_is_nobody_elses(tmp_path: Path) -> None:
    path = saved(tmp_path, [{**OPEN, "note": "4812"}])
    shape = shape_of_file(path, roles={("note",): Role.RECIPIENT}, replace_persons=blot_out)
    assert shape.name(Role.RECIPIENT) == "note"
    assert shape.key_fields[0].name == "note"


# Limits and mistakes


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (
            "",
            "a.json",
            "not JSON: Input data was truncated, allowed: an event, a list of events, or an object with one",
        ),
        ("", "a.jsonl", "contains no event, allowed: an event, a list of events, or an object with one such list"),
        ("{]", "a.json", "not JSON: JSON is malformed"),
        ("{}\n{", "a.jsonl", "not JSON Lines: "),
        ([], "a.json", "contains no event, allowed: an event"),
        ([{}], "a.json", "contains something that is no event, allowed: an event"),
        ([OPEN, 5], "a.json", "contains something that is no event, allowed: an event"),
        ("5", "a.json", "contains something that is no event, allowed: an event"),
        ({"type": "open", "id": 1 << 64}, "a.json", "contains an integer of more than 64 bits, which is the limit"),
        ([[OPEN]], "a.json", "contains something that is no event"),
        ('{"journal":1,"entry":"began"}', "a.jsonl", "contains no event, allowed: an event"),
        (
            {"type": "open", "recipientId": 4711.5},
            "a.json",
            "no field identifies a mail, allowed: a field of text or whole numbers with a role such as mail or",
        ),
        ({"recipientId": "1"}, "a.json", "no field says a known event type, allowed: --type with one of open, click"),
        ([OPEN, CLICK], "a.json", "contains events of types open, click, allowed: one of them, by --type"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, content: object, name: str, message: str) -> None:
    path = saved(tmp_path, content, name)
    with pytest.raises(InvalidInputError) as rejected:
        shape_as_it_is(path)
    assert str(rejected.value).startswith(f"{path}: {message}")
    assert "\n" not in str(rejected.value)


@pytest.mark.parametrize("levels", [DEPTH_MAX - 1, DEPTH_MAX, DEPTH_MAX + 1, 100_000])
def test_depth_has_a_limit(tmp_path: Path, levels: int) -> None:
    inner = "[" * (levels - 1) + "]" * (levels - 1)
    path = saved(tmp_path, f'{{"type":"open","recipientId":"4711","deep":{inner}}}')
    if levels <= DEPTH_MAX:
        assert shape_as_it_is(path).event_type is EventType.OPEN
        return
    with pytest.raises(InvalidInputError, match=r"nested deeper than 50 levels|not JSON: "):
        shape_as_it_is(path)


@pytest.mark.parametrize("count", [FIELDS_MAX, FIELDS_MAX + 1])
def test_the_number_of_fields_has_a_limit(tmp_path: Path, count: int) -> None:
    path = saved(tmp_path, [OPEN, *({f"x{index}": index} for index in range(count - len(OPEN)))])
    if count == FIELDS_MAX:
        assert len(shape_of_file(path, replace_persons=blot_out).fields) == count
        return
    with pytest.raises(InvalidInputError) as rejected:
        shape_of_file(path, replace_persons=blot_out)
    assert str(rejected.value) == f"{path}: contains more than 1,000 fields, which is the limit"


def test_size_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "captured.json"
    for size in (CAPTURED_BYTES_MAX, CAPTURED_BYTES_MAX + 1):
        path.write_bytes(json.dumps(OPEN).encode().ljust(size))
        if size == CAPTURED_BYTES_MAX:
            assert read_as_it_is(path).events == (OPEN,)
            continue
        with pytest.raises(InvalidInputError, match=r"larger than 16777216 bytes, which is the limit$"):
            read_as_it_is(path)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"not a regular file, allowed: a file of captured events$"):
        read_as_it_is(tmp_path)
    with pytest.raises(InvalidInputError, match=r"cannot be read: No such file or directory$"):
        read_as_it_is(tmp_path / "missing.json")
    with pytest.raises(InvalidInputError, match=r"not a path, allowed: a file of captured events$"):
        read_as_it_is(Path("a\0b"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(InvalidInputError, match="not a regular file"):
        read_as_it_is(tmp_path / "pipe.json")


def test_a_list_deep_in_an_event_is_part_of_it(tmp_path: Path) -> None:
    event = with_value(OPEN, ("a", "b", "c", "events"), [OPEN])
    assert read_as_it_is(saved(tmp_path, event)).events == (event,)
