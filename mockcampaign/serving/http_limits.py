"""Bounds what a stranger's requests cost: uvicorn itself keeps whatever arrives."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mockcampaign.serving.client_connection import ClientConnection

HEAD_BYTES_MAX = 64 * 1024
HEADERS_MAX = 100
"""Maximum size and number of a request's headers, trailers included. Ours: no client sends nearly as many."""

PIPELINED_MAX = 100
"""Number of requests that wait for the response to an earlier one on their connection. More are not even parsed."""

PARSED_AT_ONCE = 4 * 1024
"""Number of bytes between two looks at how many requests wait."""

TOO_LONG = f"the URL and headers are too long, allowed: {HEADERS_MAX} headers, {HEAD_BYTES_MAX} bytes"


class HeadersTooLongError(Exception):
    """The headers of a request are beyond a limit."""


class _BoundedFlow(FlowControl):
    """Reads nothing while data waits to be parsed, whoever asks for more."""

    full = False

    def resume_reading(self) -> None:
        if not self.full:
            super().resume_reading()


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 with limits. It does not ask for a library for websockets, which nothing here uses."""

    _head_bytes = 0
    """Bytes of the headers of the current message."""
    _silent_bytes = 0
    """Bytes that have been parsed since anything was complete, such as a part of an endless header."""
    _unparsed = b""
    """Bytes that wait until there is room for more requests."""

    _too_long = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Control what is read, too."""
        super().connection_made(transport)
        self._connection = ClientConnection(transport)
        self.flow = self._flow = _BoundedFlow(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection for whoever counts it."""
        super().connection_lost(exc)
        self._connection.end()

    def data_received(self, data: bytes) -> None:
        """Parse data in small parts, as long as few requests wait."""
        self._unparsed += data
        self._parse()

    def send_400_response(self, msg: str) -> None:
        """Respond to a request that cannot be parsed, or whose headers are too long."""
        if self._too_long:
            head = f"HTTP/1.1 431 \r\ncontent-type: text/plain\r\ncontent-length: {len(TOO_LONG)}\r\n"
            self.transport.write(f"{head}connection: close\r\n\r\n{TOO_LONG}".encode())
            self.transport.close()
        else:
            super().send_400_response(msg)

    def on_message_begin(self) -> None:
        """Count from zero, and let the application find the connection."""
        self._head_bytes = self._silent_bytes = 0
        super().on_message_begin()
        self.scope["extensions"] = self._connection.extensions

    def on_url(self, url: bytes) -> None:
        """Count a part of the URL."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header or trailer."""
        self._count(len(name) + len(value), headers=len(self.headers) + 1)
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Note that the request goes on."""
        self._silent_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        self._silent_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the data that waits."""
        super().on_response_complete()
        if self._unparsed:
            self._parse()
            self.flow.resume_reading()

    def _parse(self) -> None:
        data, begin = self._unparsed, 0
        while begin < len(data) and len(self.pipeline) < PIPELINED_MAX and not self.transport.is_closing():
            part = data[begin : begin + PARSED_AT_ONCE]
            begin += len(part)
            self._silent_bytes += len(part)
            super().data_received(part)
            if self._silent_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
                self._too_long = True
                self.send_400_response("")
        self._unparsed = b"" if self.transport.is_closing() else data[begin:]
        self._flow.full = bool(self._unparsed)
        if self._unparsed:
            self.flow.pause_reading()

    def _count(self, head_bytes: int, *, headers: int = 0) -> None:
        """Count a part of a head. Raises `HeadersTooLongError`, which the parser reports as an error of its own."""
        self._head_bytes += head_bytes
        if self._head_bytes > HEAD_BYTES_MAX or headers > HEADERS_MAX:
            self._too_long = True
            raise HeadersTooLongError

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: the request is carried out without the upgrade, as HTTP allows."""
