"""Journals that outlive a killed run: whatever was written reads back as the beginning of what happened."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest

from builders import OK, START, Consumer, activated, exporter, happen, run
from golden import check_golden
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Attempted, Began, Entry, WebhookChanged
from mockcampaign.engine.journal_file import Heading, JournalWriter, read_journals
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType, Responded

HEADING = Heading(name="a run", file="a.scenario.yaml", target="http://consumer/")


def ticking(step: float = 0.0) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


def followed(step: float = 0.0) -> tuple[io.BytesIO, Exporter]:
    """A file, and a run with two webhooks of which one fails for a while, written into it."""
    file, box, clock = io.BytesIO(), exporter(), ticking(step)
    follower = JournalWriter(file, lambda: next(clock)).follow(box.journal, HEADING)
    activated(box, url="http://consumer/opens")
    activated(box, EventType.CLICK, url="http://consumer/clicks")
    happen(box, 150)
    happen(box, 3, EventType.CLICK)
    run(box, Consumer(lambda number: OK if number > 30 else Responded(503)))
    follower.close()
    return file, box


@pytest.mark.parametrize("step", [0.0, 0.04, 10.0])
def test_what_was_written_reads_back_as_what_happened(step: float) -> None:
    file, box = followed(step)
    [recorded] = read_journals(file.getvalue(), "j")
    assert recorded.heading == HEADING
    assert recorded.entries == box.journal.entries


def test_the_format_is_what_it_was() -> None:
    check_golden("journal.jsonl", followed()[0].getvalue())


def test_a_run_of_equal_attempts_is_written_seldom_or_at_each_attempt_as_the_clock_has_it() -> None:
    seldom, often = (followed(step)[0].getvalue().count(b'"attempted"') for step in (0.0, 10.0))
    assert (seldom, often) == (7, 33)


@pytest.mark.parametrize("step", [0.0, 10.0])
def test_a_file_cut_anywhere_reads_back_as_a_beginning(step: float) -> None:
    file, box = followed(step)
    content = file.getvalue()
    whole = box.journal.entries
    first = content.index(b"\n", content.index(b'"began"')) + 1
    for end in range(first, len(content) + 1, 7):
        [recorded] = read_journals(content[:end], "j")
        assert len(recorded.entries) <= len(whole)
        for entry, known in zip(recorded.entries, whole, strict=False):
            assert shortened(entry, known)


def shortened(entry: Entry, known: Entry) -> bool:
    """Whether an entry says what the whole journal says, or less of a run of equal attempts."""
    if isinstance(entry, Attempted) and isinstance(known, Attempted):
        same = ("at", "webhook_id", "serials", "first_number", "outcome")
        return entry.count <= known.count and all(getattr(entry, name) == getattr(known, name) for name in same)
    return entry == known


def test_several_journals_share_a_file() -> None:
    file = io.BytesIO()
    writer = JournalWriter(file, lambda: 0.0)
    boxes = [exporter(), exporter(start=START + 5)]
    followers = [writer.follow(box.journal, Heading(name=str(index), target="t")) for index, box in enumerate(boxes)]
    for _ in range(2):
        for box in boxes:
            activated(box)
    for follower in followers:
        follower.close()
    recorded = read_journals(file.getvalue(), "j")
    assert [one.heading.name for one in recorded] == ["0", "1"]
    assert [one.entries for one in recorded] == [box.journal.entries for box in boxes]
    assert isinstance(recorded[1].entries[0], Began)
    assert isinstance(recorded[1].entries[4], WebhookChanged)
    assert recorded[1].lines[:2] == [4, 7]


BEGAN = '{"journal":1,"entry":"heading","name":"n","target":"t"}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "j: contains no journal, allowed: a file that --journal or `record` wrote"),
        (BEGAN, "j: contains no journal, allowed: a file that --journal or `record` wrote"),
        ("[]\n", "j:1: not an entry of a journal: Expected `object`, got `array`"),
        ("{}\n", "j:1: not a line of a journal"),
        (
            BEGAN + '{"journal":1,"entry":"dance"}\n',
            "j:2: not an entry of a journal: Invalid value 'dance' - at `$.entry`",
        ),
        (BEGAN + '{"journal":2,"entry":"step-reached","at":1,"index":0}\n', "j:2: journal 2 has no heading before"),
        (BEGAN + '{"journal":1,"entry":"step-reached","at":1,"index":0}\n', "j:2: a journal begins with 'began'"),
        (BEGAN.replace('"name"', '"format":9,"name"'), "j:1: format 9, allowed: 1"),
        ("\udc80\n", "j:1: not an entry of a journal: "),
    ],
)
def test_what_is_no_journal_is_refused_with_its_line(content: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        read_journals(content.encode("utf-8", "surrogateescape"), "j")
