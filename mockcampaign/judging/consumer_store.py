"""The consumer's own account of what it has processed, read from what its probe answers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from mockcampaign.errors import CertificateError, CouldNotTellError, InvalidInputError
from mockcampaign.model import NoResponse, Outcome, Request, Responded, TimedOut
from mockcampaign.text import short

ACCOUNT_BYTES_MAX = 64 * 1024 * 1024
"""A longer account is refused: comparing half of it would accuse the consumer of losing the rest."""


class ProbeReading(msgspec.Struct, frozen=True):
    """What a probe said: how many events, and which where it tells."""

    count: int
    events: tuple[bytes, ...] | None
    """In canonical form."""

    def since(self, before: ProbeReading) -> ProbeReading:
        """What came on top of an earlier account."""
        if self.events is None or before.events is None:
            return ProbeReading(self.count - before.count, None)
        newer = Counter(self.events)
        newer.subtract(before.events)
        # Sorted: in which order parallel lists reach the consumer is chance, and no part of the account.
        events = tuple(event for event, times in sorted(newer.items()) for _ in range(times))
        return ProbeReading(len(events), events)


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how a consumer tells what it has processed. Exactly one of `events` and `count` is a JMESPath."""

    url: str
    events: str | None = None
    """Leads to a list of events in the answer."""
    count: str | None = None
    """Leads to a whole number in the answer."""

    def request(self, timeout: int) -> Request:
        """The request to send; `timeout` in milliseconds."""
        return Request(
            method="GET",
            url=self.url,
            headers=(("Accept", "application/json"),),
            timeout=timeout,
            response_body_bytes_kept=ACCOUNT_BYTES_MAX,
        )

    def read(self, outcome: Outcome) -> ProbeReading:
        """Raises `CouldNotTellError` where the answer is no such account."""
        found = self.found(outcome)
        if isinstance(found, int):
            return ProbeReading(found, None)
        events = events_in(found)
        return ProbeReading(len(events), tuple(map(canonical, events)))

    def found(self, outcome: Outcome) -> list[Any] | int:
        """The list that holds the events, or their number. Raises `CouldNotTellError` as `read` does."""
        return found_in(self.decoded(outcome), f"probe {self.url}", events=self.events, count=self.count)

    def decoded(self, outcome: Outcome) -> Any:
        """What the answer says. Raises `CouldNotTellError` where it is none."""
        match outcome:
            case NoResponse(phase="certificate", reason=reason):
                raise CertificateError(f"probe {self.url}: {reason}")
            case NoResponse(reason=reason):
                raise self._unusable(reason)
            case TimedOut():
                raise self._unusable("no response within the time-out")
            case Responded(status=status) if status != 200:
                raise self._unusable(f"responded {status}, expected 200")
            case Responded(body=body, body_bytes=body_bytes):
                if body_bytes > len(body):
                    raise self._unusable(f"the answer is longer than {ACCOUNT_BYTES_MAX} bytes")
        try:
            return msgspec.json.decode(outcome.body)
        except msgspec.DecodeError:
            kind = dict(outcome.headers).get("content-type", "no content type")
            start = outcome.body[:40].decode("utf-8", "backslashreplace")
            raise self._unusable(f"expected JSON, got {kind} that begins {start!r}") from None

    def _unusable(self, why: str) -> CouldNotTellError:
        return CouldNotTellError(f"probe {self.url}: {why}")


def found_in(answer: Any, whose: str, *, events: str | None = None, count: str | None = None) -> list[Any] | int:
    """What the JMESPath leads to in an account: a list that holds events, or with `count` a whole number.

    Beside events there may be anything that the consumer has stored unchecked: `events_in` leaves it out.

    Raises `CouldNotTellError`, which begins with `whose`, where it leads to something else.
    """
    expression = events or count or "@"
    found = searched(answer, whose, expression)
    if count is not None:
        if isinstance(found, bool) or not isinstance(found, int) or found < 0:
            raise CouldNotTellError(f"{whose}: {expression!r} leads to {shown(found)}, expected a whole number")
        return found
    if not isinstance(found, list):
        raise CouldNotTellError(f"{whose}: {expression!r} leads to {shown(found)}, expected a list of events")
    if found and not any(isinstance(element, dict) for element in found):
        raise CouldNotTellError(
            f"{whose}: {expression!r} leads to a list whose element 0 is {shown(found[0])}, expected a list of events"
        )
    return found


def searched(answer: Any, whose: str, expression: str) -> Any:
    """What a JMESPath leads to. Raises `CouldNotTellError`, which begins with `whose`, where it does not apply."""
    try:
        return answer if expression == "@" else jmespath.search(expression, answer)
    except JMESPathError as error:
        reason = str(error).splitlines()[0]
        raise CouldNotTellError(f"{whose}: {expression!r} does not apply to the answer: {reason}") from None


def events_in(found: list[Any]) -> list[dict[str, Any]]:
    """What may be an event of what an account holds, which is every JSON object."""
    return [element for element in found if isinstance(element, dict)]


def check_jmespath(expression: str) -> str:
    """The expression itself. Raises `InvalidInputError` where it is not JMESPath."""
    try:
        jmespath.compile(expression)
    except JMESPathError as error:
        raise InvalidInputError(f"{expression!r} is not JMESPath: {' '.join(str(error).split())[:120]}") from None
    return expression


def canonical(event: Any) -> bytes:
    """Equal events give equal bytes, however their fields are ordered or spaced."""
    return msgspec.json.encode(event, order="sorted")


def shown(found: Any) -> str:
    """The beginning of it as JSON."""
    return short(msgspec.json.encode(found).decode())
