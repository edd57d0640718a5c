"""The text report of a comparison: one block for each violation that changed, and how many changed in which way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from mockcampaign.judging.earlier.comparison import Change, Changed
from mockcampaign.report.columns import PLAIN, Style, Styled
from mockcampaign.report.scenario_text import BAD, DOUBT, FAINT, GOOD, STRONG, brief
from mockcampaign.tables import complete
from mockcampaign.text import printable

_STYLES: Mapping[Change, Style] = complete(
    "the style of each change, worst first",
    get_args(Change),
    {
        "regressed": BAD,
        "new": BAD,
        "inconclusive": DOUBT,
        "still failing": DOUBT,
        "not examined": FAINT,
        "fixed": GOOD,
    },
)

_ALWAYS_COUNTED: tuple[Change, ...] = ("fixed", "regressed", "still failing", "new")
"""Changes that the last line counts even if there are none."""

SENTENCE_MAX = 300
"""How many characters of an observation are shown."""


def comparison_lines(changes: Sequence[Changed]) -> Iterator[list[Styled]]:
    """Yield the changes, worst first, and their numbers."""
    width = max(map(len, _STYLES))
    for change, style in _STYLES.items():
        for one in changes:
            if one.change == change:
                words = ": ".join(filter(None, (one.scenario, one.id))) or "the whole run"
                yield [(f"{change:<{width}}", style), (f"  {printable(words)}", STRONG)]
                yield [(f"{'':<{width}}  {brief(one.sentence, SENTENCE_MAX)}", PLAIN)]
    counts = Counter(one.change for one in changes)
    shown = [*_ALWAYS_COUNTED, *(one for one in _STYLES if one not in _ALWAYS_COUNTED and counts[one])]
    yield [(", ".join(f"{counts[change]:,} {change}" for change in shown), STRONG)]
