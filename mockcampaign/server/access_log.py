"""A line on the terminal for each call of the REST API, written beside the calls: a slow terminal delays none."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator

from mockcampaign.engine.journal import Called
from mockcampaign.report import sentences
from mockcampaign.text import counted

WAITING_MAX = 10_000
"""Number of calls that wait to be written. Beyond that they are counted only."""

TOGETHER_SECONDS = 0.05
"""Time in which calls gather, so that a busy server writes many at once."""

END_SECONDS = 1
"""Longest time that the end of the server waits for the terminal."""


class AccessLog:
    """Writes calls in a thread of its own, in the order in which they came."""

    def __init__(self, write: Callable[[str], object]) -> None:
        """`write` prints one or several lines; it may block."""
        self._write = write
        self._waiting: deque[Called] = deque()
        self._left_out = 0
        self._due = threading.Event()
        self._closing = threading.Event()

    def note(self, call: Called) -> None:
        """Write a call, soon."""
        if len(self._waiting) < WAITING_MAX:
            self._waiting.append(call)
        else:
            self._left_out += 1
        if not self._due.is_set():
            self._due.set()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Write while the context is open, and what is left at its end."""
        # A daemon, so that a terminal that never takes the lines cannot keep the process.
        thread = threading.Thread(target=self._run, name="mockcampaign-access-log", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._closing.set()
            self._due.set()
            thread.join(END_SECONDS)

    def _run(self) -> None:
        closing = False
        while not closing:
            self._due.wait()
            closing = self._closing.wait(TOGETHER_SECONDS)
            self._due.clear()
            self._write_waiting()

    def _write_waiting(self) -> None:
        lines = []
        while self._waiting:
            lines.append(sentences.access_line(self._waiting.popleft()))
        left_out, self._left_out = self._left_out, 0
        if left_out:
            lines.append(f"… {counted(left_out, 'call')} not shown: they came faster than they could be written")
        if lines:
            self._write("\n".join(lines))
