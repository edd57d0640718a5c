"""Durations in an HDR histogram: exact to three digits, from a microsecond to days, in constant space."""

from __future__ import annotations

import msgspec
from hdrh.histogram import HdrHistogram

from mockcampaign.policy import DAY

MICROSECONDS_MAX = 4 * DAY * 1_000
"""Longest duration. An event is discarded after three days."""

DIGITS = 3

CURVE = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99, 99.999, 100.0)
"""Percentiles of a curve: as many for each further nine."""


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Durations in microseconds; all 0 without any."""

    count: int
    p50: int
    p90: int
    p99: int
    p99_9: int
    max: int
    curve: tuple[tuple[float, int], ...] = ()
    """Percentiles and their durations."""


class Latencies:
    """Counts durations."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, MICROSECONDS_MAX, DIGITS)
        self.record = self._histogram.record_value

    def percentiles(self) -> Percentiles:
        """Return the percentiles of what was counted."""
        at = self._histogram.get_value_at_percentile
        count = int(self._histogram.get_total_count())
        return Percentiles(
            count=count,
            p50=int(at(50)),
            p90=int(at(90)),
            p99=int(at(99)),
            p99_9=int(at(99.9)),
            max=int(self._histogram.get_max_value()),
            curve=tuple((percentile, int(at(percentile))) for percentile in CURVE) if count else (),
        )
