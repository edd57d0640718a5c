"""Parses a consumer's responses, sans I/O: it is given the bytes and returns the outcome."""

from __future__ import annotations

import httptools

from mockcampaign.model import ACKNOWLEDGEMENT, NoResponse, Outcome, Responded
from mockcampaign.transport import kept_headers

HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 16 * 1024 * 1024
"""Maximum size of a response; interim responses count as head. A longer one is an outcome, not a burden on memory.
Chunk extensions and trailers may be as long as a head between two bytes of the body."""

SERVER_BYTES_MAX = 80
"""Bytes of a `Server` header that an outcome keeps."""

KNOWN_BYTES_MAX = 8 * 1024
"""A longer response is parsed each time."""

RESPONSE_TOO_LONG = NoResponse("body", "response longer than 16 MiB")

_HEAD_TOO_LONG = NoResponse("headers", "response headers longer than 64 KiB")
_FRAMING_TOO_LONG = NoResponse("body", "chunk extensions or trailers of the response longer than 64 KiB")
_NOT_HTTP = "response is not HTTP/1.x"

_VERSIONS = ("1.1", "1.0")
_STATUS_LINE_BYTES = len("HTTP/1.1 100 \r\n\r\n")

# One sentence for an orderly close and for a reset: which of them a sender sees depends on how much the consumer had
# read when it closed, and so on the machine.
CUT = {
    "send": NoResponse("send", "connection closed before the request was sent"),
    "wait": NoResponse("wait", "connection closed before a response"),
    "headers": NoResponse("headers", "connection closed within the response headers"),
    "body": NoResponse("body", "connection closed within the response body"),
}
"""Outcome of an attempt whose connection the consumer closes, by phase."""


class ResponseParser:
    """Parses the responses on one connection, one after the other. Interim ones (1xx but 101) are skipped.

    It lives as long as its connection: httptools' parser and its callbacks refer to each other, and a pair for each
    response would be work for the garbage collector.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._known: tuple[bytes, int, Responded, str] | None = None
        """The last response that arrived in one piece and left its connection `reusable`, how much of its body was
        kept, and its outcome. Most responses are the same bytes, which have the same outcome."""
        self.expect(0)

    def expect(self, body_bytes_kept: int, *, headers_only: bool = False) -> None:
        """Prepare for the response to another request, after a `reusable` one.

        `headers_only` is for responses to HEAD, which state the length of a body that does not follow.
        """
        self.phase = "wait"
        """One of `model.PHASES` from "wait" on."""
        self.reusable = False
        """Whether the connection can carry another request, once the response is complete."""
        self.surplus = False
        """Whether more bytes arrived than belong to the response, although the connection stays open."""
        self.server = ""
        """Value of the `Server` header, once the response is complete."""
        self._headers_only = headers_only
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._body_bytes_left = body_bytes_kept
        # Whoever keeps more of a body knows how long it may be.
        self._body_bytes_max = max(BODY_BYTES_MAX, body_bytes_kept)
        self.bytes_received = 0
        """Bytes of this response, interim ones and surplus bytes included."""
        self._interim_bytes = 0
        self._head_size = 0
        self._reason_bytes = 0
        self._framing_bytes = 0
        self._strange = False
        self._status_begun = False
        self._headers_complete = False
        self._complete = False
        self.continued = False
        """Whether the consumer has asked for the body (status 100)."""

    def has_passed(self, moment: str) -> bool:
        """Whether the final response has arrived up to `moment`, one of `faults.LOST`, and can be lost there.

        That an acknowledgement alone is lost does not concern what is lost before its status is read.
        """
        if self._strange:
            return False
        if self._headers_complete:
            return self._status == ACKNOWLEDGEMENT or moment == "before-response"
        if moment == "after-headers" or not (self._status_begun or self._headers):
            return False
        status = self._parser.get_status_code()
        return status == ACKNOWLEDGEMENT or (moment == "before-response" and not _is_interim(status))

    def feed(self, data: bytes) -> Outcome | None:
        """Parse more bytes; return the outcome, or None while the response is incomplete."""
        at_once = self.phase == "wait"
        if at_once:
            known = self._known
            if known is not None and known[0] == data and known[1] == self._body_bytes_left and not self._headers_only:
                self.phase, self.reusable = "body", True
                self.bytes_received, self._headers_complete, self._status = len(data), True, known[2].status
                self.server = known[3]
                return known[2]
            self.phase = "headers"
        self.bytes_received += len(data)
        body_bytes, kept = self._body_bytes, self._body_bytes_left
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # A 101 response is complete; what follows is not HTTP.
            self.reusable = False
        except httptools.HttpParserError:
            if not self._complete:
                self.reusable = False
                return NoResponse("headers" if self._strange else self.phase, _NOT_HTTP)
            self._has_surplus()
        failure = self._failure(len(data) if self._body_bytes == body_bytes else 0)
        if failure is not None:
            self.reusable = False
            return failure
        if not self._complete:
            return None
        outcome = self._responded()
        if at_once and self.reusable and len(data) <= KNOWN_BYTES_MAX:
            self._known = data, kept, outcome, self.server
        return outcome

    def end(self) -> Outcome:
        """Return the outcome now that the consumer closes the connection in an orderly way."""
        if self._headers_complete and self._ends_by_close():
            return self._responded()
        return CUT[self.phase]

    def _failure(self, framing_bytes: int) -> Outcome | None:
        """Return what is wrong so far. `framing_bytes`: length of the newest part if it has nothing of the body."""
        if self._strange:
            return NoResponse("headers", _NOT_HTTP)
        if self.bytes_received > HEAD_BYTES_MAX:
            if not self._headers_complete or self._head_size > HEAD_BYTES_MAX:
                return _HEAD_TOO_LONG
            self._framing_bytes = self._framing_bytes + framing_bytes if framing_bytes else 0
            if self._framing_bytes > HEAD_BYTES_MAX and not self._complete:
                return _FRAMING_TOO_LONG
        return RESPONSE_TOO_LONG if self._body_bytes > self._body_bytes_max else None

    def _head_bytes(self) -> int:
        return self._reason_bytes + sum(len(name) + len(value) + 4 for name, value in self._headers)

    def _ends_by_close(self) -> bool:
        # httptools does not offer llhttp's own "finish", so this repeats when only the close ends a body
        # (RFC 9112, 6.3); a response without a body was complete before.
        fields = {name.lower(): value.lower() for name, value in self._headers}
        if b"transfer-encoding" in fields:
            return fields[b"transfer-encoding"].rpartition(b",")[2].strip() != b"chunked"
        return b"content-length" not in fields

    def _has_surplus(self) -> None:
        self.surplus = self.surplus or self.reusable
        self.reusable = False

    def _responded(self) -> Responded:
        named = next((value for name, value in self._headers if name.lower() == b"server"), b"")
        self.server = named[:SERVER_BYTES_MAX].decode("latin-1")
        return Responded(self._status, kept_headers(self._headers), b"".join(self._body), self._body_bytes)

    # Called by httptools. Bytes after the complete response are surplus, whatever they look like.

    def on_message_begin(self) -> None:
        """Note that a message begins, which is surplus after the response."""
        if self._complete:
            self._has_surplus()

    def on_status(self, status: bytes) -> None:
        """Count a part of the reason phrase, which ends the status line."""
        self._status_begun = True
        if not self._headers_complete:
            self._reason_bytes += len(status)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header field; an outcome contains no trailers (fields after the body)."""
        if not self._headers_complete:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Skip an interim response, or note that the final one's headers are complete."""
        if self._headers_complete:
            return
        status = self._parser.get_status_code()
        if _is_interim(status):
            self._interim_bytes += _STATUS_LINE_BYTES + self._head_bytes()
            self._reason_bytes = 0
            self._headers.clear()
            self._status_begun = False
            self.continued = self.continued or status == 100
            return
        self._status = status
        # httptools takes status 000 and the versions 0.9 and 2.0 as well.
        self._strange = status < 100 or self._parser.get_http_version() not in _VERSIONS
        self._headers_complete = True
        self._head_size = self._interim_bytes + self._head_bytes()
        self.phase = "body"
        if self._headers_only:
            self._complete = True

    def on_body(self, body: bytes) -> None:
        """Count all of the body, keep its beginning."""
        if self._complete:
            return
        self._body_bytes += len(body)
        if self._body_bytes_left > 0:
            self._body.append(body[: self._body_bytes_left])
            self._body_bytes_left -= len(body)

    def on_message_complete(self) -> None:
        """Note that the response is complete, unless it was an interim one."""
        if self._headers_complete and not self._complete:
            self._complete = True
            self.reusable = self._parser.should_keep_alive()


def _is_interim(status: int) -> bool:
    """Whether another response follows; 101 ends HTTP on the connection."""
    return 100 <= status < 200 and status != 101
