"""How messages put things."""

from __future__ import annotations

import pytest

from mockcampaign.text import counted


@pytest.mark.parametrize(("count", "said"), [(0, "0 events"), (1, "1 event"), (2, "2 events"), (2_500, "2,500 events")])
def test_one_of_it_is_singular(count: int, said: str) -> None:
    assert counted(count, "event") == said
