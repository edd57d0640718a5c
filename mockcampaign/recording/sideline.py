"""Records beside the traffic: in a thread of its own, whose trouble neither delays nor changes any request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from mockcampaign.model import Outcome
from mockcampaign.recording.recorder import CaptureInFlight, InFlight, NotRecordedError, Recorder

PENDING_BYTES_MAX = 256 * 1024 * 1024
"""Most bytes of requests and responses that wait to be recorded. Beyond that, requests are forwarded only."""

_LINES_MAX = 100
"""Most different lines about trouble. A sender of nonsense would fill the terminal."""

Done = TypeVar("Done")


class Sideline:
    """Gives requests and outcomes to a recorder, in the order in which they arrive, and says each trouble once."""

    def __init__(self, recorder: Recorder, complain: Callable[[str], None]) -> None:
        self._recorder = recorder
        self._complain = complain
        self._said: set[str] = set()
        # Each of the two is changed by one thread only.
        self._given_bytes = self._done_bytes = 0
        # One thread, so that everything is recorded in order.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mockcampaign-recorder")
        self.stopped = False
        """Whether the journal could not be written. Then nothing more is recorded."""

    def begin(
        self, path: str, headers: Sequence[tuple[str, str]], body: bytes, now: int
    ) -> Future[InFlight | None] | None:
        """Record the events of a request, soon. Returns what `complete` needs, or None if it is not recorded."""
        if self._given_bytes - self._done_bytes + len(body) > PENDING_BYTES_MAX:
            self._say("requests are not recorded: too many wait for that already")
            return None

        def begin() -> InFlight | None:
            begun = self._recorder.begin(path, headers, body, now)
            if isinstance(begun, CaptureInFlight):
                self._say(f"a POST request is recorded as it is, and replayed by nothing: {begun.why}")
            return begun

        return self._submit(begin, len(body))

    def complete(self, recorded: Future[InFlight | None], outcome: Outcome, now: int) -> None:
        """Record the outcome of a request, soon."""

        def complete() -> None:
            begun = recorded.result()
            if begun is not None:
                self._recorder.complete(begun, outcome, now)

        self._submit(complete, len(getattr(outcome, "body", b"")))

    def close(self) -> None:
        """Wait until everything is recorded."""
        self._thread.shutdown()

    def _submit(self, work: Callable[[], Done], size: int) -> Future[Done | None]:
        self._given_bytes += size

        def attempt() -> Done | None:
            try:
                return self._attempt(work)
            finally:
                self._done_bytes += size

        return self._thread.submit(attempt)

    def _attempt(self, work: Callable[[], Done]) -> Done | None:
        if self.stopped:
            return None
        try:
            return work()
        except NotRecordedError as error:
            self._say(f"a POST request is not recorded: {error}")
        except OSError as error:
            self.stopped = True
            self._say(
                f"nothing more is recorded: the journal cannot be written: {error.strerror or 'input/output error'}"
            )
        except Exception as error:
            # Only the kind of error: its text may contain what was sent.
            self._say(f"a POST request is not recorded: this is a bug of mockcampaign ({type(error).__name__})")
        return None

    def _say(self, line: str) -> None:
        if line not in self._said and len(self._said) < _LINES_MAX:
            self._said.add(line)
            self._complain(line)
