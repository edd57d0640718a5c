"""The recipients of a list are the same, in the same order, whether their rows are in memory or in a state file."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockcampaign.clients.recipient_list import Recipient
from mockcampaign.clients.recipient_table import ID, RecipientTable, in_memory
from mockcampaign.server.kept_recipients import kept_in
from mockcampaign.server.state_file import StateFile, StateLostError

IDS = st.sampled_from(["a", "B", "\u00e9", "\uffff", "\U0001f600", ""])
TEXTS = st.sampled_from(["", "x", "Y", "y"])
RECIPIENTS = st.builds(
    lambda number, text, is_pending: Recipient(
        id=number,
        address="anna@example.com",
        data={"city": text} if text else {},
        person=1,
        created=0,
        modified=0,
        is_pending=is_pending,
    ),
    IDS,
    TEXTS,
    st.booleans(),
)
STEPS = st.one_of(
    st.tuples(st.just("put"), RECIPIENTS), st.tuples(st.just("remove"), IDS), st.tuples(st.just("restart"))
)


def recipient(number: str) -> Recipient:
    return Recipient(id=number, address="", person=1, created=0, modified=0)


def pages(table: RecipientTable) -> list[list[Recipient]]:
    return [
        [*table.page(sort, offset, limit, descending=descending)]
        for sort in (ID, "city")
        for descending in (False, True)
        for offset, limit in ((0, 10), (1, 2), (3, 1), (4, 2), (9, 9))
    ]


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=15), defined=st.lists(RECIPIENTS, max_size=3, unique_by=lambda one: one.id))
def test_rows_in_a_file_are_those_in_memory(steps: list[Any], defined: list[Recipient]) -> None:
    defined = [one for one in defined if not one.is_pending]
    expected = RecipientTable(in_memory(1, 2))
    expected.define(defined)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state")
        file = StateFile(path)
        beside, found = (RecipientTable(kept_in(file)(1, list_id)) for list_id in (3, 2))
        beside.define([recipient("a")])
        found.define(defined)
        for name, *arguments in steps:
            match name, arguments:
                case "put", [one]:
                    expected[one.id] = found[one.id] = one
                case "remove", [number]:
                    assert expected.pop(number, None) == found.pop(number, None)
                case _:
                    file.commit(0)
                    file.close()
                    file = StateFile(path)
                    beside, found = (RecipientTable(kept_in(file)(1, list_id)) for list_id in (3, 2))
                    found.define(defined)
            assert [*found.items()] == [*expected.items()]
            assert (len(found), found.accessible_count) == (len(expected), expected.accessible_count)
            assert pages(found) == pages(expected)
            assert next(iter(found), None) == found._rows.oldest() == expected._rows.oldest()
        assert [*beside] == ["a"]
        file.close()


@pytest.mark.parametrize(
    ("now", "ids"), [(("a", "b"), ["a", "b", "new"]), (("c", "a"), ["c", "a", "new"]), ((), ["new"])]
)
def test_a_list_gets_what_its_definition_says_at_the_next_start(
    now: tuple[str, ...], ids: list[str], tmp_path: Path
) -> None:
    for names in (("a", "b"), now):
        with closing(StateFile(tmp_path / "state")) as file:
            table = RecipientTable(kept_in(file)(1, 2))
            table.define([recipient(name) for name in names])
            table["new"] = recipient("new")
            assert len(table) == len([*table])
            file.commit(0)
    with closing(StateFile(tmp_path / "state")) as file:
        assert [*RecipientTable(kept_in(file)(1, 2))] == ids


PLACES = 40
"""Number of the recipients that are read."""


def steps_of(file: StateFile, work: Callable[[], object]) -> int:
    """Number of steps that SQLite takes."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    file._connection.set_progress_handler(count, 1)
    work()
    return steps


def filled(file: StateFile, count: int) -> RecipientTable:
    """A table with recipients, and another one beside it."""
    beside, table = (RecipientTable(kept_in(file)(1, list_id)) for list_id in (2, 3))
    for number in range(count):
        beside[f"{number:05}"] = table[f"{number:05}"] = recipient(f"{number:05}")
    return table


@pytest.mark.parametrize(
    "work",
    [
        lambda table: table["00020"],
        lambda table: "absent" in table,
        lambda table: table.update({"new": recipient("new")}),
        lambda table: table.forget_oldest(),
        lambda table: [*itertools.islice(table, PLACES)],
        lambda table: [*table.page(ID, 0, PLACES, descending=True)],
    ],
)
def test_work_on_a_few_recipients_is_the_same_however_many_there_are(
    work: Callable[[RecipientTable], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mockcampaign.server.kept_recipients._IDS_AT_ONCE", 10)
    steps = []
    for count in (PLACES * 2, PLACES * 40):
        with closing(StateFile(tmp_path / str(count))) as file:
            table = filled(file, count)
            steps.append(steps_of(file, partial(work, table)))
    assert steps[0]
    assert abs(steps[1] - steps[0]) <= 5


def test_a_page_that_follows_another_skips_none(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path / "state")) as file:
        table = filled(file, 1_000)
        steps = []
        for offset in (800, 810, 800):
            page = table.page(ID, offset, 10, descending=False)
            steps.append(steps_of(file, partial(list, page)))
        assert steps[1] < steps[0] / 5
        assert steps[2] == steps[0]


def test_a_damaged_recipient_is_an_error_of_the_file(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path / "state")) as file:
        table = RecipientTable(kept_in(file)(1, 2))
        table.update({number: recipient(number) for number in ("a", "b")})
        file.write("UPDATE recipient SET value = x'00' WHERE id = 'b'", ())
        assert [*table.page("city", 0, 1, descending=False)] == [recipient("a")]
        with pytest.raises(
            StateLostError, match=r"state: a recipient is damaged \(.*\); it is as it was, and the server"
        ):
            table["b"]
        with pytest.raises(StateLostError):
            file.commit(0)
