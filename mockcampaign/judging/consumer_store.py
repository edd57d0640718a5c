"""Reading the events that a consumer has stored from the response of its probe."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from mockcampaign import json_text
from mockcampaign.errors import CertificateError, CouldNotTellError, InvalidInputError
from mockcampaign.masking import shown_url
from mockcampaign.model import NoResponse, Outcome, Request, Responded, TimedOut
from mockcampaign.shape.placeholders import MAILING_ID
from mockcampaign.text import SHOWN_MAX, few, short

PROBE_BYTES_MAX = 256 * 1024 * 1024
"""Largest response that a probe may give. Half of a response would look as if the consumer had lost the other half."""

TOO_LONG = "response longer than "
"""How the reason begins for which a transport ends a response that is too long."""

WHOLE = "@"
"""JMESPath of the whole response."""

DEPTH_MAX, NAMES_MAX = 4, 100
"""How deep, and among how many fields of each object, a message looks for the events."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

HOW_TO_SELECT = (
    f"let the probe select events by placeholders, such as {{{MAILING_ID.name}}} (documentation, “Write a probe”)"
)
"""Advice for a probe that reports too much."""


class ProbeReading(msgspec.Struct, frozen=True):
    """The stored events that a probe reported, or only their number."""

    count: int
    events: tuple[bytes, ...] | None
    """Stored events in canonical form; None if the probe reports only their number."""

    def since(self, before: ProbeReading) -> ProbeReading:
        """Return what was stored since an earlier reading."""
        if self.events is None or before.events is None:
            return ProbeReading(self.count - before.count, None)
        newer = Counter(self.events)
        newer.subtract(before.events)
        # Sorted, because concurrent batches reach the consumer in any order.
        events = tuple(event for event, times in sorted(newer.items()) for _ in range(times))
        return ProbeReading(len(events), events)


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """A URL that reports what the consumer has stored: `events`, or `count` for their number."""

    url: str
    events: str | None = None
    """JMESPath of the list of events in the response (default: the whole response)."""
    count: str | None = None
    """JMESPath of the number of events in the response."""

    def request(self, timeout: int) -> Request:
        """Return the request to send; `timeout` is in milliseconds."""
        return Request(
            method="GET",
            url=self.url,
            headers=(("Accept", "application/json"),),
            timeout=timeout,
            response_body_bytes_kept=PROBE_BYTES_MAX,
        )

    def read(self, outcome: Outcome) -> ProbeReading:
        """Return what a response reports. Raises `CouldNotTellError` if it reports no events."""
        found = self.found(outcome)
        if isinstance(found, int):
            return ProbeReading(found, None)
        events = events_in(found)
        return ProbeReading(len(events), tuple(map(canonical, events)))

    def found(self, outcome: Outcome, decode: Callable[[bytes], Any] = json_text.decode) -> list[Any] | int:
        """Return the list of events, or their number. Raises `CouldNotTellError` as `read` does."""
        response = self.decoded(outcome, decode)
        return found_in(response, f"probe {shown_url(self.url)}", events=self.events, count=self.count)

    def decoded(self, outcome: Outcome, decode: Callable[[bytes], Any] = json_text.decode) -> Any:
        """Return the decoded body of a response. Raises `CouldNotTellError` if there is no complete JSON response."""
        match outcome:
            case NoResponse(phase="certificate", reason=reason):
                raise CertificateError(f"probe {shown_url(self.url)}: {reason}")
            case NoResponse(phase="body", reason=reason) if reason.startswith(TOO_LONG):
                raise self._too_long()
            case NoResponse(reason=reason):
                raise self._unusable(reason)
            case TimedOut():
                raise self._unusable("no response within the time-out")
            case Responded(status=status) if status != 200:
                raise self._unusable(f"responded {status}, expected 200")
            case Responded(body=body, body_bytes=body_bytes):
                if body_bytes > len(body):
                    raise self._too_long()
        try:
            return decode(outcome.body)
        except msgspec.DecodeError as error:
            kind = dict(outcome.headers).get("content-type", "no content type")
            start = outcome.body[:40].decode("utf-8", "backslashreplace")
            raise self._unusable(f"expected JSON, got {kind} that begins with {start!r}: {error}") from None

    def _too_long(self) -> CouldNotTellError:
        return self._unusable(f"response longer than {PROBE_BYTES_MAX // 2**20} MiB: {HOW_TO_SELECT}")

    def _unusable(self, why: str) -> CouldNotTellError:
        return CouldNotTellError(f"probe {shown_url(self.url)}: {why}")


NAME_IT = "name one as {} of the probe, a JMESPath; default: the whole response"
"""Advice about a response that has deeper inside what a probe should report."""


def found_in(
    response: Any, whose: str, *, events: str | None = None, count: str | None = None, advice: str = NAME_IT
) -> list[Any] | int:
    """Return what a JMESPath selects: a list that contains events, or with `count` a whole number.

    A consumer may have stored things that are not events. The list contains them too; `events_in` leaves them out.

    Raises `CouldNotTellError` if the JMESPath selects anything else. Its message begins with `whose`, and says which
    lists, or numbers, there are in the response. `advice` says how to select one.
    """
    expression = events or count or WHOLE
    found = searched(response, whose, expression)
    where = "the response is" if expression == WHOLE else f"{expression!r} selects"
    if count is not None:
        if not _is_number(found):
            # A sum over no rows is null in SQL, and a group without rows is none.
            null = f"; if null stands for 0: {count} || `0`" if found is None and expression != WHOLE else ""
            inside = _inside(response, _is_number, "numbers", advice.format("count"))
            raise CouldNotTellError(f"{whose}: {where} {shown(found)}, expected a whole number{null}{inside}")
        return int(found)
    if not isinstance(found, list):
        inside = _inside(response, _is_list, "lists", advice.format("events"))
        raise CouldNotTellError(f"{whose}: {where} {shown(found)}, expected a list of events{inside}")
    if found and not any(isinstance(element, dict) for element in found):
        raise CouldNotTellError(
            f"{whose}: {where} a list whose element 0 is {shown(found[0])}, expected a list of events"
        )
    return found


def _is_number(found: object) -> bool:
    return isinstance(found, int) and not isinstance(found, bool) and found >= 0


def _is_list(found: object) -> bool:
    return isinstance(found, list)


def _inside(response: object, fits: Callable[[object], bool], what: str, advice: str) -> str:
    """Return which values of a kind there are in a response, by JMESPath, and what to do about it."""
    paths = _paths(response, fits)
    return f"; {what} in it: {few(paths)} ({advice})" if paths else ""


def _paths(response: object, fits: Callable[[object], bool]) -> list[str]:
    """Return the paths of values in the objects of a response, the outermost first, as far as somebody would look."""
    level: list[tuple[str, object]] = [("", response)]
    found: list[str] = []
    for _ in range(DEPTH_MAX):
        inner = [
            (f"{path}.{_written(name)}".removeprefix("."), value)
            for path, values in level
            if isinstance(values, dict)
            for name, value in itertools.islice(values.items(), NAMES_MAX)
            if len(name) <= SHOWN_MAX
        ]
        found += [path for path, value in inner if fits(value)]
        level = inner[:NAMES_MAX]
    return found


def _written(name: str) -> str:
    """Return the name of a field as JMESPath writes it."""
    return name if _IDENTIFIER.fullmatch(name) else json_text.encode(name).decode()


def searched(response: Any, whose: str, expression: str) -> Any:
    """Return what a JMESPath selects. Raises `CouldNotTellError`, whose message begins with `whose`, if it fails."""
    if expression == WHOLE:
        return response
    try:
        # JMESPath knows no other classes of lists.
        return jmespath.search(expression, list(response) if isinstance(response, list) else response)
    except (JMESPathError, RecursionError, ValueError, ArithmeticError) as error:
        reason = str(error).splitlines()[0] if isinstance(error, JMESPathError) else type(error).__name__
        raise CouldNotTellError(f"{whose}: {expression!r} does not fit the response: {reason}") from None


def events_in(found: list[Any]) -> list[dict[str, Any]]:
    """Return the JSON objects of a list, which are the elements that may be events."""
    return [element for element in found if isinstance(element, dict)]


def check_jmespath(expression: str) -> str:
    """Return the expression. Raises `InvalidInputError` if it is not valid JMESPath."""
    try:
        jmespath.compile(expression)
    except JMESPathError as error:
        raise InvalidInputError(
            f"{short(expression)!r} is not JMESPath: {' '.join(str(error).split())[:120]}"
        ) from None
    except (RecursionError, ValueError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else "a number with too many digits"
        raise InvalidInputError(f"{short(expression)!r} is not JMESPath: {why}") from None
    return expression


def canonical(event: Any) -> bytes:
    """Return an event in canonical form: equal events give equal bytes, whatever the order and spacing of fields."""
    try:
        return msgspec.json.encode(event, order="sorted")
    except UnicodeEncodeError:
        return msgspec.json.encode(json_text.decode(json_text.encode(event)), order="sorted")


def shown(found: Any) -> str:
    """Return the beginning of a value as JSON."""
    return short(json_text.encode(found).decode())
