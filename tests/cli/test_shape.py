"""`mockcampaign shape` prints a file that says which field plays which role."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from called_main import called_main
from commands import mockcampaign
from mockcampaign.scenario.shape_file import read_shape
from mockcampaign.shape.field import Role

EVENT = {
    "event": "clicked",
    "email": "anna.meier@example.org",
    "campaign_id": 5,
    "ts": 1_714_979_289,
    "url": "https://www.example.com",
}


@pytest.fixture
def captured(tmp_path: Path) -> Path:
    path = tmp_path / "captured.json"
    path.write_text(json.dumps({"events": [EVENT]}))
    return path


def test_standard_output_is_the_file(tmp_path: Path, captured: Path) -> None:
    done = mockcampaign("shape", captured.name, folder=tmp_path)
    assert done.returncode == 0
    assert done.stderr == (
        "1 event of type click with 5 fields: write another role where one is wrong, and use the file with --shape\n"
    )
    assert "\ntype: click\nbody: {events: list}\nfields:\n  event: " in done.stdout
    path = tmp_path / "shape.yaml"
    path.write_text(done.stdout)
    assert [field.role for field in read_shape(path).fields] == [
        Role.TYPE,
        Role.RECIPIENT,
        Role.MAILING,
        Role.MOMENT,
        Role.LINK,
    ]


@pytest.mark.slow
def test_nobody_is_named_unless_a_field_is_kept(tmp_path: Path, captured: Path) -> None:
    assert "anna.meier" not in mockcampaign("shape", captured.name, folder=tmp_path).stdout
    assert "anna.meier@example.org" in mockcampaign("shape", captured.name, "--keep", "email", folder=tmp_path).stdout


def test_the_shape_goes_to_a_file(tmp_path: Path, captured: Path) -> None:
    done = mockcampaign("shape", captured.name, "-o", "shape.yaml", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert read_shape(tmp_path / "shape.yaml").name(Role.RECIPIENT) == "email"


def test_a_file_with_corrections_is_overwritten_only_by_force(tmp_path: Path, captured: Path) -> None:
    path = tmp_path / "shape.yaml"
    path.write_text("fields: {link: text}\n", encoding="utf-8")
    status, _, said = called_main("shape", str(captured), "--output", str(path))
    assert (status, path.read_text(encoding="utf-8")) == (2, "fields: {link: text}\n")
    assert said.endswith("exists, and may contain corrections, allowed: another name, or --force\n")
    assert called_main("shape", str(captured), "--output", str(path), "--force")[0] == 0
    assert path.read_text(encoding="utf-8").startswith("# The shape of captured events")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["untyped.json"], "untyped.json: no field says a known event type, allowed: --type with one of open, click, "),
        (["untyped.json", "--type", "opens"], "--type: 'opens', allowed: open, click, "),
        (["captured.json", "--output", "no/shape.yaml"], "--output no/shape.yaml: there is no folder no, allowed: one"),
        (["missing.json"], "FILE: 'missing.json' does not exist, allowed: a file that exists"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, captured: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "untyped.json").write_text('{"recipientId": "4711"}')
    done = mockcampaign("shape", *arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert message in line


def test_the_type_can_be_given(tmp_path: Path) -> None:
    (tmp_path / "untyped.json").write_text('{"recipientId": "4711"}')
    done = mockcampaign("shape", "untyped.json", "--type", "sent", folder=tmp_path)
    assert "\ntype: sent\nbody: list-or-object\nfields:\n  recipientId: recipient" in done.stdout
