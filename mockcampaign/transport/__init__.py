"""Carrying one request to a consumer and bringing back what came of it.

`wire` goes over sockets, `inprocess` calls an ASGI or WSGI application. Neither decides anything: when to send, what to
send and what an outcome means is the engine's, and nothing is ever sent twice here. Whatever a consumer does is an
`Outcome`, never an exception.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Iterable
from typing import Protocol

from mockcampaign.model import Fault, Outcome, Request


class Transport(Protocol):
    """Where requests go."""

    @property
    def faults(self) -> frozenset[type[Fault]]:
        """The faults that it can carry out; a request never has others."""
        ...

    def send(self, request: Request) -> Awaitable[Outcome]:
        """What came of the request.

        Raises `InvalidInputError` where the request cannot be sent to any consumer: URL, method or headers.
        """
        ...

    async def aclose(self) -> None:
        """Give back all that is held: connections, tasks, threads. What is still under way is cancelled."""
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
"""Names of response headers that belong to the connection, the framing, the clock or the server software, and not to
what the consumer decided."""


def kept_headers(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """The headers that an outcome keeps, so that the same answer in-process and over a socket is an equal outcome."""
    decoded = [_decode_header(header) for header in headers]
    return tuple([header for header in decoded if header is not None])


@functools.lru_cache(maxsize=4096)
def _decode_header(header: tuple[bytes, bytes]) -> tuple[str, str] | None:
    # Cached, because a consumer's answers differ in little else than their date, and that only once a second.
    name = header[0].decode("latin-1").lower()
    return None if name in RESPONSE_HEADERS_DROPPED else (name, header[1].decode("latin-1").strip(" \t"))
