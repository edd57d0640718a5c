"""Times are read in every format that events have, and anything else is no time."""

from __future__ import annotations

import pytest

from mockcampaign.shape.moment import read_moment


@pytest.mark.parametrize("value", [1e300, -1e308, float("inf"), float("nan"), 1e15, True, None, "soon", []])
def test_what_is_no_time(value: object) -> None:
    assert read_moment(value) is None
