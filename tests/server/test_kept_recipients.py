"""The recipients of a list are the same, in the same order, whether their rows are in memory or in a state file."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockcampaign.clients.recipient_list import Recipient
from mockcampaign.clients.recipient_table import ID, RecipientTable, in_memory
from mockcampaign.server.kept_recipients import kept_in
from mockcampaign.server.state_file import StateFile

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


def pages(table: RecipientTable) -> list[list[Recipient]]:
    return [
        table.page(sort, offset, limit, descending=descending)
        for sort in (ID, "city")
        for descending in (False, True)
        for offset, limit in ((0, 10), (1, 2), (3, 1), (9, 9))
    ]


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEPS, max_size=15), defined=st.lists(RECIPIENTS, max_size=3, unique_by=lambda one: one.id))
def test_rows_in_a_file_are_those_in_memory(steps: list[Any], defined: list[Recipient]) -> None:
    defined = [one for one in defined if not one.is_pending]
    expected = RecipientTable(in_memory(1, 2))
    expected.define(defined)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state")
        file = StateFile(path)
        beside, found = (RecipientTable(kept_in(file)(1, list_id)) for list_id in (3, 2))
        beside.define([Recipient(id="a", address="", person=1, created=0, modified=0)])
        found.define(defined)
        for name, *arguments in steps:
            match name, arguments:
                case "put", [recipient]:
                    expected[recipient.id] = found[recipient.id] = recipient
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
        assert [*beside] == ["a"]
        file.close()


@pytest.mark.parametrize(
    ("now", "ids"), [(("a", "b"), ["a", "b", "new"]), (("c", "a"), ["c", "a", "new"]), ((), ["new"])]
)
def test_a_list_gets_what_its_definition_says_at_the_next_start(
    now: tuple[str, ...], ids: list[str], tmp_path: Path
) -> None:
    def recipient(number: str) -> Recipient:
        return Recipient(id=number, address="", person=1, created=0, modified=0)

    for names in (("a", "b"), now):
        with closing(StateFile(tmp_path / "state")) as file:
            table = RecipientTable(kept_in(file)(1, 2))
            table.define([recipient(name) for name in names])
            table["new"] = recipient("new")
            assert len(table) == len([*table])
            file.commit(0)
    with closing(StateFile(tmp_path / "state")) as file:
        assert [*RecipientTable(kept_in(file)(1, 2))] == ids
