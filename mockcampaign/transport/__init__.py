"""Sends one request to a consumer and returns the outcome.

`wire` sends over sockets, `inprocess` calls an ASGI or WSGI application. Neither decides anything: the engine decides
what is sent when and what an outcome means, and nothing is sent twice here. Whatever a consumer does is an `Outcome`,
never an exception.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Iterable
from typing import Protocol

from mockcampaign.model import Fault, Outcome, Request


class Transport(Protocol):
    """Sends requests."""

    @property
    def faults(self) -> frozenset[type[Fault]]:
        """The faults that the transport can carry out; a request never has others."""
        ...

    def send(self, request: Request) -> Awaitable[Outcome]:
        """Send a request and return its outcome.

        Raises `InvalidInputError` if its URL, method or headers cannot be sent to any consumer.
        """
        ...

    async def aclose(self) -> None:
        """Release connections, tasks and threads. Requests under way are cancelled."""
        ...


RESPONSE_HEADERS_DROPPED = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-connection",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Names of response headers that belong to the connection, the framing, the clock or the server software, and
are not the consumer's decision."""


def kept_headers(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """Return the headers that an outcome keeps: equal for equal responses, in-process and over a socket."""
    decoded = [_decode_header(header) for header in headers]
    return tuple([header for header in decoded if header is not None])


@functools.lru_cache(maxsize=4096)
def _decode_header(header: tuple[bytes, bytes]) -> tuple[str, str] | None:
    # Cached, because a consumer's responses hardly differ in more than their date, and that once a second.
    name = header[0].decode("latin-1").lower()
    return None if name in RESPONSE_HEADERS_DROPPED else (name, header[1].decode("latin-1").strip(" \t"))
