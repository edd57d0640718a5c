"""Checking events that look like captured ones: the options of the check, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from called_main import called_main
from foreign_shapes import CAPTURED, SHAPES
from mockcampaign.samples.consumer import serve_consumer

SAMPLES = dict(CAPTURED)
QUICK = ("--rules", "acknowledgement,deduplicates-on-all-fields", "--seed", "4")


@pytest.fixture
def other_names() -> Iterator[str]:
    with serve_consumer(shape=SHAPES["other-names"]) as url:
        yield url


def captured(folder: Path, name: str) -> str:
    path = folder / f"{name}.json"
    path.write_text(SAMPLES[name], encoding="utf-8")
    return str(path)


def test_a_captured_event_is_all_that_a_check_needs(tmp_path: Path, other_names: str) -> None:
    sample = captured(tmp_path, "other-names")
    probe = ("--probe", f"{other_names}/processed")
    status, printed, said = called_main("check", f"{other_names}/hook", *probe, "--like", sample, *QUICK)
    assert (status, said) == (0, ""), printed
    assert "clicks of 10 fields as captured" in printed
    # The same consumer rejects our own events, which it does not know.
    status, printed, _ = called_main("check", f"{other_names}/hook", *probe, "--type", "click", *QUICK[:-1], "5")
    assert status == 1, printed
    assert "Responded 400" in printed


def test_a_finding_names_the_fields_of_the_user(tmp_path: Path) -> None:
    sample = captured(tmp_path, "other-names")
    with serve_consumer("dedup-key-mail-id", shape=SHAPES["other-names"]) as url:
        rules = ("--rules", "stores-before-acknowledging,deduplicates-on-all-fields", "--seed", "4")
        where = ("--probe", f"{url}/processed", "--report-json", str(tmp_path / "r.json"))
        called_main("check", f"{url}/hook", *where, "--like", sample, *rules)
    report = json.loads((tmp_path / "r.json").read_text())
    [keyed] = [one for one in report["rules"] if one["id"] == "deduplicates-on-all-fields"]
    assert keyed["outcome"] == "warn"
    assert "msg" in keyed["actual"]
    assert "mailId" not in json.dumps(report)


def test_nobody_of_the_captured_events_is_sent_or_reported(tmp_path: Path) -> None:
    sample = captured(tmp_path, "integrator")
    with serve_consumer(shape=SHAPES["integrator"]) as url:
        outputs = ("--journal", str(tmp_path / "j.jsonl"), "--report-json", str(tmp_path / "r.json"), "--full-journal")
        called_main("check", f"{url}/hook", "--probe", f"{url}/processed", "--like", sample, *outputs, *QUICK)
    written = (tmp_path / "j.jsonl").read_text() + (tmp_path / "r.json").read_text()
    for person in ("lena", "brandt", "okafor", "700041822317", "4KX0PM2T-71QHZ9AA-0XW3EJ"):
        assert person not in written.lower()


def test_one_line_of_a_shape_file_corrects_a_guess(tmp_path: Path, other_names: str) -> None:
    sample = captured(tmp_path, "other-names")
    correction = tmp_path / "shape.yaml"
    correction.write_text("fields:\n  msg: text\n", encoding="utf-8")
    probe = ("--probe", f"{other_names}/processed", "--probe-events", "[].{kind: kind}")
    status, _, said = called_main(
        "check", f"{other_names}/hook", *probe, "--like", sample, "--shape", str(correction), *QUICK
    )
    assert status == 3
    # Without an id of the mail, the events of a recipient and a mailing are recognised.
    assert "probe: none of 1 element has contact and campaign, by which events are recognised" in said


def test_a_shape_file_stands_for_itself(tmp_path: Path, other_names: str) -> None:
    sample = captured(tmp_path, "other-names")
    shape = str(tmp_path / "shape.yaml")
    assert called_main("shape", sample, "--output", shape)[0] == 0
    where = (f"{other_names}/hook", "--probe", f"{other_names}/processed")
    assert called_main("check", *where, "--shape", shape, *QUICK)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--like", "{integrator}", "--like", "{other-names}"), "--like: two files contain click events, allowed: one"),
        (("--shape", "{correction}"), "correction.yaml:1:1: the file has no events"),
        (
            ("--like", "{integrator}", "--probe", "http://127.0.0.1:1/", "--probe-fields", "mail_id"),
            "--probe-fields: 'mail_id' is unknown, allowed: type",
        ),
        (("--like", "{text}"), "text.json:1:1: not JSON"),
        (("--like", "{broken}"), "broken.json:2:6: not JSON"),
        (("--like", "{empty}"), "empty.json: contains no event"),
        (
            ("--like", "{correction}"),
            "correction.yaml: not JSON: it is YAML, allowed: captured events here, and a shape file",
        ),
        (("--like", "{integrator}", "--type", "open"), "contains click events and not open, allowed: their type"),
    ],
)
def test_impossible_shapes_are_refused_in_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    (tmp_path / "correction.yaml").write_text("fields: {link: link}\n", encoding="utf-8")
    (tmp_path / "text.json").write_text("hello", encoding="utf-8")
    (tmp_path / "broken.json").write_text('{"a": 1,\n  "ü"x}', encoding="utf-8")
    (tmp_path / "empty.json").write_text('{"events": []}', encoding="utf-8")
    files = {name: captured(tmp_path, name) for name in ("integrator", "other-names")}
    files |= {name: str(tmp_path / f"{name}.json") for name in ("broken", "empty")}
    files |= {"correction": str(tmp_path / "correction.yaml"), "text": str(tmp_path / "text.json")}
    given = [files.get(one.strip("{}"), one) for one in arguments]
    status, printed, said = called_main("check", "http://127.0.0.1:1/hook", *given)
    assert (status, printed) == (2, "")
    assert message in said
    assert said.count("\n") == 1
