"""Tables by an enum name their missing entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Literal, get_args

import pytest

from mockcampaign.tables import complete


class Color(StrEnum):
    RED = "red"
    GREEN = "green"
    BLUE = "blue"


Size = Literal["small", "large"]


def test_a_complete_table_is_the_table_itself() -> None:
    table = {Color.RED: 1, Color.GREEN: 2, Color.BLUE: 3}
    assert complete("the price of each color", Color, table) is table
    assert complete("the price of each size", get_args(Size), {"large": 2, "small": 1}) == {"large": 2, "small": 1}


@pytest.mark.parametrize(
    ("keys", "table", "said"),
    [
        (Color, {Color.GREEN: 2}, "the price: no entry for red, blue"),
        (Color, {}, "the price: no entry for red, green, blue"),
        (get_args(Size), {"small": 1}, "the price: no entry for large"),
        (get_args(Size), {"small": 1, "large": 2, "huge": 3}, "the price: huge is none of small, large"),
    ],
)
def test_an_incomplete_table_is_an_error_that_names_what_is_missing(
    keys: Iterable[Any], table: Mapping[Any, int], said: str
) -> None:
    with pytest.raises(LookupError) as raised:
        complete("the price", keys, table)
    assert raised.value.args == (said,)
