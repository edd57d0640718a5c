"""Opens and clicks over time by device, as a self-contained SVG picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from math import log1p

from mockcampaign.durations import format_duration
from mockcampaign.events.description import Timeline
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, HOUR, MINUTE, SECOND

WIDTH, PANEL_HEIGHT = 1_000, 220
LEFT, RIGHT, TOP, GAP, BOTTOM = 70, 40, 84, 56, 44

COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c")
"""Colours that colour-blind people can distinguish (Okabe and Ito, "Color Universal Design", 2008)."""

NAME_SHOWN = 24
"""Maximum length of a device's name in the legend. Names in captured events can be long."""

TICKS = (
    *(SECOND, 5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE),
    *(HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY),
)
TICKS_MAX = 18


def plot(timeline: Timeline, title: str) -> str:
    """Return the picture. Its vertical axis is logarithmic, because the first hour would flatten the following days.

    Without any open or click, it shows only the title.
    """
    panels = [kind for kind in (EventType.OPEN, EventType.CLICK) if any(key[0] == kind for key in timeline.series)]
    height = TOP + len(panels) * (PANEL_HEIGHT + GAP) - GAP + BOTTOM
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
            ' font-family="system-ui, sans-serif" font-size="12" fill="#333">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
            f'<text x="{LEFT}" y="28" font-size="17" font-weight="600">{escape(title)}</text>',
            *_legend(timeline),
            *(_times(timeline, height - BOTTOM) if panels else []),
            *(
                line
                for number, kind in enumerate(panels)
                for line in _panel(timeline, kind, TOP + number * (PANEL_HEIGHT + GAP))
            ),
            "</svg>",
            "",
        ]
    )


def _names(timeline: Timeline) -> list[str]:
    """Return devices, those with most opens and clicks first, as many as there are colours."""
    totals: dict[str, int] = {}
    for (kind, device), counts in timeline.series.items():
        if kind in (EventType.OPEN, EventType.CLICK):
            totals[device] = totals.get(device, 0) + counts.total()
    return sorted(totals, key=lambda device: (-totals[device], device))[: len(COLORS)]


def _legend(timeline: Timeline) -> Iterator[str]:
    x = LEFT
    for name, color in zip(_names(timeline), COLORS, strict=False):
        text = name if len(name) <= NAME_SHOWN else f"{name[: NAME_SHOWN - 1]}…"
        yield f'<rect x="{x}" y="45" width="14" height="10" rx="2" fill="{color}"/>'
        yield f'<text x="{x + 20}" y="54">{escape(text)}</text>'
        x += 44 + 7 * len(text)
    remark = f"events in each {format_duration(timeline.width)}"
    if timeline.later:
        remark += f"; {timeline.later:,} come later"
    yield f'<text x="{WIDTH - RIGHT}" y="28" text-anchor="end" fill="#666">{remark}</text>'


def _panel(timeline: Timeline, kind: EventType, top: int) -> Iterator[str]:
    bottom, step = top + PANEL_HEIGHT, (WIDTH - LEFT - RIGHT) / timeline.bins
    layers = [timeline.series.get((kind, name), Counter()) for name in _names(timeline)]
    high = max(max(counts.values(), default=0) for counts in layers)
    yield f'<text x="{LEFT}" y="{top - 10}" font-weight="600">{kind.capitalize()}s</text>'
    for tick in _ticks(high):
        y = bottom - _height(tick, high)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#e4e4e4"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#666">{tick:,}</text>'
    for counts, color in reversed([*zip(layers, COLORS, strict=False)]):
        heights = (_height(counts[index], high) for index in range(timeline.bins))
        line = "".join(f"V{bottom - height:.1f}h{step:.3f}" for height in heights)
        yield f'<path d="M{LEFT} {bottom}{line}V{bottom}" fill="none" stroke="{color}" stroke-width="2"/>'
    yield f'<path d="M{LEFT} {bottom}H{WIDTH - RIGHT}" stroke="#666"/>'


def _height(count: int, high: int) -> float:
    return PANEL_HEIGHT * log1p(count) / log1p(high)


def _ticks(high: int) -> list[int]:
    """Return 0, 1, 10, 100 and so on, with 3, 30 and so on in between if these are few."""
    powers = [10**exponent for exponent in range(len(str(high)))]
    ticks = [power * factor for power in powers for factor in ((1, 3) if len(powers) < 4 else (1,))]
    return [0, *(tick for tick in ticks if tick <= high)]


def _times(timeline: Timeline, bottom: int) -> Iterator[str]:
    span = timeline.bins * timeline.width
    distance = next((one for one in TICKS if span <= one * TICKS_MAX), TICKS[-1])
    at = -(-timeline.start // distance) * distance
    while at <= timeline.start + span:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (at - timeline.start) / span
        moment = datetime.fromtimestamp(at // 1_000, UTC)
        midnight = at % DAY == 0
        text = f"{moment:%a} {moment.day} {moment:%b}" if midnight else f"{moment:%H:%M:%S}".removesuffix(":00")
        yield f'<path d="M{x:.1f} {TOP}V{bottom + 5}" stroke="{"#b0b0b0" if midnight else "#eeeeee"}"/>'
        weight = ' font-weight="600"' if midnight else ""
        yield f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle"{weight}>{text}</text>'
        at += distance
    yield f'<text x="{WIDTH - RIGHT}" y="{bottom + 38}" text-anchor="end" fill="#666">UTC</text>'
