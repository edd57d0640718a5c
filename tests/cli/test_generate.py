"""`mockcampaign generate` as users see it, with its description and plot of the events."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from click.testing import CliRunner

from browsers import browser, clean_page
from mockcampaign.cli.commands.generate import generate
from mockcampaign.cli.commands.reference import schema
from mockcampaign.errors import InvalidInputError
from mockcampaign.events import event_schema
from mockcampaign.events.description import BINS_MAX, SPAN_MAX, WIDTHS, Description, Timeline
from mockcampaign.events.plot import COLORS, plot
from mockcampaign.policy import DEFAULT_START, HOUR, MINUTE, SECOND
from places import ROOT

FIXTURES = ROOT / "fixtures" / "events"
VALIDATOR = jsonschema.Draft202012Validator(event_schema())
SVG = "{http://www.w3.org/2000/svg}"


def output(*arguments: str) -> str:
    done = CliRunner().invoke(generate, arguments, catch_exceptions=False, standalone_mode=False)
    assert done.exception is None
    return done.output


def refusal(*arguments: str) -> str:
    done = CliRunner().invoke(generate, arguments)
    if isinstance(done.exception, InvalidInputError):
        assert done.output == ""
        return str(done.exception)
    assert done.exit_code == 2
    return done.output.splitlines()[-1].removeprefix("Error: ")


def types(events: list[dict[str, Any]]) -> set[str]:
    return {event["type"] for event in events}


def test_ten_opens_by_default() -> None:
    events = json.loads(output())
    assert (len(events), types(events)) == (10, {"open"})
    VALIDATOR.validate(events)
    assert all(DEFAULT_START <= event["created"] <= DEFAULT_START + HOUR for event in events)


def test_the_same_options_give_the_same_events_and_another_seed_others() -> None:
    assert output("--count", "50") == output("--count", "50")
    assert output("--count", "50") != output("--count", "50", "--seed", "1")


@pytest.mark.parametrize("count", [1, 999, 1_000, 1_001, 2_000])
def test_both_formats_hold_the_same_events(count: int) -> None:
    lines = output("--count", str(count), "--format", "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == json.loads(output("--count", str(count)))
    assert len(lines) == count


@pytest.mark.parametrize(("count", "sizes"), [(99, [99]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
def test_batches_are_full_but_for_the_last(count: int, sizes: list[int]) -> None:
    arguments = ("--count", str(count), "--type", "click", "--batches")
    batches = json.loads(output(*arguments))
    assert [len(batch) for batch in batches] == sizes
    assert [event for batch in batches for event in batch] == json.loads(output(*arguments[:-1]))
    assert [json.loads(line) for line in output(*arguments, "--format", "jsonl").splitlines()] == batches


def test_a_mailing_is_whole_and_its_batches_are_of_one_type() -> None:
    events = json.loads(output("--recipients", "300"))
    assert {"sent", "open", "click", "bounce"} <= types(events)
    batches = json.loads(output("--recipients", "300", "--batches"))
    assert {len(types(batch)) for batch in batches} == {1}
    assert all(len(batch) <= 100 for batch in batches)
    assert sorted(map(json.dumps, events)) == sorted(json.dumps(event) for batch in batches for event in batch)
    chosen = json.loads(output("--recipients", "300", "--type", "open", "--type", "click"))
    assert chosen == [event for event in events if event["type"] in ("open", "click")]


def test_rates_recipients_client_and_start_are_as_given() -> None:
    arguments = ("--recipients", "50", "--rate", "opening=1", "--rate", "hard_bouncing=0", "--rate", "soft_bouncing=0")
    arguments += ("--rate", "unknown_bouncing=0", "--rate", "untracked=0", "--rate", "filtered=0")
    arguments += ("--client", "7", "--recipient-ids", "email", "--start", "2025-03-01T12:00:00Z", "--type", "open")
    events = json.loads(output(*arguments))
    assert len({event["recipientId"] for event in events}) >= 49
    assert all("@example." in event["recipientId"] and event["clientId"] == 7 for event in events)
    assert min(event["created"] for event in events) >= 1_740_830_400_000


def test_a_kept_field_is_copied(tmp_path: Path) -> None:
    sample = tmp_path / "captured.json"
    sample.write_text('{"event": "CLICK", "mail_ref": "m-7f3a9c41", "tenant": "nordwind-de"}')
    by_default = json.loads(output("--like", str(sample), "--count", "3"))
    assert "nordwind-de" not in {event["tenant"] for event in by_default}
    kept = json.loads(output("--like", str(sample), "--count", "3", "--keep", "tenant"))
    assert {event["tenant"] for event in kept} == {"nordwind-de"}


def test_events_like_a_captured_one(tmp_path: Path) -> None:
    captured = {"type": "open", "recipientId": "4711", "at": "2019-07-31T16:20:54Z", "extra": {"tag": "sommer"}}
    (tmp_path / "captured.json").write_text(json.dumps(captured))
    events = json.loads(output("--like", str(tmp_path / "captured.json"), "--count", "30"))
    assert len({event["recipientId"] for event in events}) == 30
    [tag] = {event["extra"]["tag"] for event in events}
    assert re.fullmatch("(?!sommer)[a-z]{6}", tag)  # it may name somebody
    assert all(re.fullmatch(r"2025-01-01T00:\d\d:\d\dZ", event["at"]) for event in events)


def test_a_captured_event_may_have_any_type(tmp_path: Path) -> None:
    (tmp_path / "captured.json").write_text('{"type": "OPENED", "recipientId": "4711"}')
    assert types(json.loads(output("--like", str(tmp_path / "captured.json"), "--type", "open"))) == {"OPENED"}


def test_events_of_a_shape_fill_bodies_of_that_shape(tmp_path: Path) -> None:
    captured = {"events": [{"kind": "open", "ref": "f3a0-00174", "at": 1_772_441_950_662, "user": "b-1"}]}
    (tmp_path / "captured.json").write_text(json.dumps(captured))
    (tmp_path / "shape.yaml").write_text("fields: {user: text}\n")
    both = ("--shape", str(tmp_path / "shape.yaml"), "--like", str(tmp_path / "captured.json"))
    bodies = json.loads(output(*both, "--count", "120", "--batches"))
    assert [len(body["events"]) for body in bodies] == [100, 20]
    assert {event["user"] for body in bodies for event in body["events"]} == {"o-8"}  # a pseudonym
    assert len({event["ref"] for body in bodies for event in body["events"]}) == 120


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--shape {click} --client 5", "--client: allowed only without --shape, whose events have one already"),
        ("--recipients 5 --count 3", "--count: allowed only without --recipients"),
        ("--recipients 5 --over 3h", "--over: allowed only without --recipients"),
        ("--recipients 5 --like {click}", "--like: allowed only without --recipients"),
        ("--rate opening=1", "--rate: allowed only with --recipients"),
        ("--like {click} --client 5", "--client: allowed only without --like, whose events have one already"),
        ("--like {click} --type open", "--type open: {click} holds click events, allowed: that type"),
        ("--type open --type click", "--type: given more than once, allowed: once, or with --recipients"),
        (
            "--recipients 5 --rate openin=1",
            "--rate openin=1: 'openin' is not a rate, allowed: filtered, ",
        ),
        ("--recipients 5 --rate opening", "--rate opening: '' is not a number, allowed: 0 to 1"),
        ("--recipients 5 --rate opening=2", "rates.opening: 2.0 is out of range, allowed: 0 to 1"),
        ("--recipients 5000001", "5000001 recipients, allowed: 1 to 5000000"),
        ("--output /nowhere/x", "--output /nowhere/x: there is no folder /nowhere, allowed: one that exists"),
        ("--describe /nowhere/x", "--describe /nowhere/x: there is no folder /nowhere, allowed: one that exists"),
        ("--describe m.png", "--describe m.png: a picture is drawn as SVG, allowed: a name that ends in .svg"),
        ("--keep tenant", "--keep: allowed only with --like, whose values pseudonyms replace"),
        ("--start noon", "Invalid value for '--start': 'noon' is not a moment, allowed: a date-time with a zone like"),
        ("--type opens", "Invalid value for '--type': 'opens', allowed: open, click, "),
        ("--count 0", "Invalid value for '--count': 0, allowed: a number from 1 to 1000000000"),
    ],
)
def test_wrong_options_are_an_error_of_one_line(arguments: str, message: str) -> None:
    click = str(FIXTURES / "click.json")
    assert refusal(*arguments.format(click=click).split()).startswith(message.format(click=click))


def test_events_can_be_written_to_a_file_and_a_reader_may_close_the_pipe(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    assert output("--count", "20", "--output", str(path)) == ""
    assert path.read_text() == output("--count", "20")
    command = [sys.executable, "-W", "error", "-m", "mockcampaign", "generate", "--count", "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b'[{"type":"open"')
        process.stdout.close()
        assert process.stderr.read() == b""


def test_the_schema_of_events_is_printed() -> None:
    done = CliRunner().invoke(schema, ["events"], catch_exceptions=False, standalone_mode=False)
    assert json.loads(done.output) == event_schema()


# What it says and draws


def test_a_mailing_is_described_and_drawn(tmp_path: Path) -> None:
    picture, events = tmp_path / "mailing.svg", tmp_path / "mailing.json"
    said = output("--recipients", "3000", "--describe", str(picture), "--output", str(events))
    made = json.loads(events.read_text())
    sent = sum(event["type"] == "sent" for event in made)
    assert re.search(rf"^mails sent +{sent:,}  to 3,000 recipients$", said, re.MULTILINE)
    assert re.search(rf"^events +{len(made):,}  within 2[0-9]d", said, re.MULTILINE)
    assert re.search(r"^  first opens +half within [3-9]h.*, nine of ten within \dd", said, re.MULTILINE)
    opens = [event for event in made if event["type"] == "open"]
    mobile = sum(event["device"] == "mobile" for event in opens)
    share = 100 * mobile / len(opens)
    assert re.search(rf"^  mobile +{mobile:,}  {share:.1f} % of opens$", said, re.MULTILINE)
    drawn = ElementTree.fromstring(picture.read_text())
    texts = [element.text for element in drawn.iter(f"{SVG}text")]
    assert {"Opens", "Clicks", "desktop", "mobile", "unknown", "UTC", "Thu 2 Jan"} <= set(texts)
    assert f"{len(made):,} events from 2025-01-01T00:00:00.000Z" in texts


def test_events_without_opens_and_clicks_are_described_too(tmp_path: Path) -> None:
    said = output("--type", "bounce", "--count", "7", "--describe", str(tmp_path / "x.svg"))
    assert said.splitlines()[1].split() == ["bounce", "7", "100.0", "%", "of", "events"]
    ElementTree.fromstring((tmp_path / "x.svg").read_text())


def test_captured_events_of_any_kind_are_described(tmp_path: Path) -> None:
    description = Description(DEFAULT_START)
    odd_type, odd_device = {"type": ["x"], "device": {"a": 1}}, {"type": "open", "device": "<&>", "created": 5}
    for odd in ({}, odd_type, odd_device):
        description.add(json.dumps(odd).encode())
    assert next(description.rows())[:2] == ("events", "3")
    assert "&lt;&amp;&gt;" in plot(description.timeline, "<title>")


def timeline(*moments: int) -> Timeline:
    line = Timeline(DEFAULT_START)
    for moment in moments:
        line.add("open", "desktop", DEFAULT_START + moment)
    return line


@pytest.mark.parametrize(
    ("last", "width"),
    [
        (BINS_MAX * SECOND - 1, SECOND),
        (BINS_MAX * SECOND, 5 * SECOND),
        (BINS_MAX * MINUTE - 1, MINUTE),
        (BINS_MAX * MINUTE, 5 * MINUTE),
        (SPAN_MAX - 1, HOUR),
    ],
)
def test_bins_are_as_wide_as_the_span_needs(last: int, width: int) -> None:
    line = timeline(0, 1, last)
    assert (line.width, line.later) == (width, 0)
    assert line.series["open", "desktop"] == {0: 2, last // width: 1}
    assert line.bins == last // width + 1 <= max(BINS_MAX, SPAN_MAX // WIDTHS[-1])


def test_the_timeline_ends_after_four_days_and_begins_at_its_start() -> None:
    line = timeline(-5, SPAN_MAX - 1, SPAN_MAX)
    assert (line.later, line.series["open", "desktop"][0]) == (1, 1)


def test_devices_beyond_the_colors_are_left_out_and_long_names_are_truncated() -> None:
    line = Timeline(DEFAULT_START)
    for number in range(20):
        for _ in range(20 - number):
            line.add("open", f"{number:02}{'x' * 40}", DEFAULT_START)
    texts = [element.text for element in ElementTree.fromstring(plot(line, "x")).iter(f"{SVG}text")]
    names = [text for text in texts if text and text.endswith("…")]
    assert [name[:2] for name in names] == [f"{number:02}" for number in range(len(COLORS))]
    assert {len(name) for name in names} == {24}


@pytest.mark.slow
def test_no_text_of_the_plot_lies_outside_of_it(tmp_path: Path) -> None:
    picture = tmp_path / "mailing.svg"
    output("--recipients", "5000", "--describe", str(picture))
    with browser() as running, clean_page(running, picture.as_uri()) as page:
        page.goto(picture.as_uri())
        boxes = page.evaluate(
            "[...document.querySelectorAll('svg, text')].map(one => one.getBoundingClientRect())"
            ".map(box => [box.left, box.top, box.right, box.bottom])"
        )
    (left, top, right, bottom), *texts = boxes
    assert len(texts) > 20
    for box in texts:
        assert left <= box[0] <= box[2] <= right
        assert top <= box[1] <= box[3] <= bottom
