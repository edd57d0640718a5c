"""What is said of a connection that does not come about."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest

from endpoints import Run, request_to, unused_port, wired
from mockcampaign.model import NoResponse
from mockcampaign.transport import dial


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ECONNREFUSED, "connection refused"),
        (errno.ECONNRESET, "connection reset while connecting"),
        (errno.ECONNABORTED, "connection aborted while connecting"),
        (errno.EACCES, "the system does not permit the connection"),
        (errno.EPERM, "the system does not permit the connection"),
        (errno.EHOSTUNREACH, "no route to the host"),
        (errno.ENETUNREACH, "no route to the host"),
        (errno.EADDRNOTAVAIL, "no local port or address is left to connect from"),
        (errno.EAFNOSUPPORT, "connecting failed (EAFNOSUPPORT)"),
    ],
)
def test_a_connection_that_fails_is_named_for_what_happened(
    run: Run, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    async def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    async def main() -> None:
        async with wired() as transport:
            monkeypatch.setattr(dial, "_connect_socket", fail)
            outcome = await transport.send(request_to(f"http://127.0.0.1:{unused_port()}/"))
            assert outcome == NoResponse("connect", reason)

    run(main())


def test_a_name_that_cannot_be_encoded_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise UnicodeError("label too long")

    async def main() -> None:
        async with wired() as transport:
            monkeypatch.setattr(dial, "_resolve", fail)
            outcome = await transport.send(request_to("http://consumer.example/"))
            assert outcome == NoResponse("resolve", "the host name does not resolve")

    asyncio.run(main())
