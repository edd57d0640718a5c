"""Shortens the application's log that a failing `campaign_check` shows: the check provokes hundreds of errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

RECORDS_MAX = 3
"""How many records of one check a failing test shows. Each may have a traceback."""

HOW_TO_SEE = "--log-file=FILE or --log-cli-level=INFO shows them"


@contextmanager
def shortened_log(caplog: pytest.LogCaptureFixture | None) -> Iterator[None]:
    """Keep all but the first records out of the log that a failing test shows, and say how many were left out.

    `caplog`, the live log and a log file still get every record. Without `caplog`, pytest captures no log.
    """
    shown = [] if caplog is None else _shown_handlers(caplog.handler)
    limits = [_Limit() for _ in shown]
    for handler, limit in zip(shown, limits, strict=True):
        handler.addFilter(limit)
    try:
        yield
    finally:
        for handler, limit in zip(shown, limits, strict=True):
            handler.removeFilter(limit)
            if limit.left_out:
                handler.handle(_summary(limit.left_out))


def _shown_handlers(own: logging.Handler) -> list[logging.Handler]:
    """Return the handlers whose records a failing test shows: of the kind of that of `caplog`, but not this one."""
    return [one for one in logging.getLogger().handlers if isinstance(one, type(own)) and one is not own]


def _summary(left_out: int) -> logging.LogRecord:
    said = "… %s more log records of the application during this check (%s)"
    return logging.LogRecord("mockcampaign", logging.INFO, __file__, 0, said, (f"{left_out:,}", HOW_TO_SEE), None)


class _Limit(logging.Filter):
    """Lets the first records pass, and counts the others."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = 0
        self.left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if self._passed < RECORDS_MAX:
            self._passed += 1
            return True
        self.left_out += 1
        return False
