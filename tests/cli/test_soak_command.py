"""`mockcampaign soak` stops at the first failing history, or at the end of its time."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import mockcampaign
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread

RULE = "survives-random-histories"


def soaked(bug: str | None, tmp_path: Path, *options: str) -> tuple[int, str]:
    with serve_in_thread(consumer_app(bug)) as url:
        done = mockcampaign(
            *("soak", f"{url}/hook", "--probe", f"{url}/processed", "--seed", "3", *options), folder=tmp_path
        )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_soak_stops_at_the_first_failing_history(tmp_path: Path) -> None:
    status, said = soaked("never-deduplicates", tmp_path, "--for", "1h", "--scenarios", "found")
    assert status == 1
    assert "After the history (lost-ack, 1 event), 1 duplicate is in the store" in said
    assert "--seed 3 --history " in said
    assert "Histories: " in said
    assert [file.suffix for file in (tmp_path / "found").iterdir()] == [".yaml"]


@pytest.mark.slow
def test_a_soak_of_a_correct_consumer_ends_with_its_time(tmp_path: Path) -> None:
    status, said = soaked(None, tmp_path, "--for", "3s", "--every", "500ms")
    assert status == 0
    assert said.count("Histories: ") >= 2
    assert "--history" not in said
