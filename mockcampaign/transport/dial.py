"""Connects to a consumer (address, TCP, TLS), with a sentence of ours for everything that can fail."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mockcampaign.errors import CouldNotTellError, InvalidInputError, sockets_blocked
from mockcampaign.model import NoResponse, TimedOut
from mockcampaign.transport.address import NO_ROUTES, Address, Routes
from mockcampaign.transport.targets import AllowedTargets

_Protocol = TypeVar("_Protocol", bound=asyncio.BaseProtocol)
_Target = tuple[socket.AddressFamily, int, tuple[object, ...]]
"""Family, protocol and socket address."""

_TARGET_NOT_ALLOWED = NoResponse("connect", "the host's address is not an allowed target")

_CERTIFICATE_REASONS = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is not issued by a trusted authority",
    19: "the certificate is not issued by a trusted authority",
    20: "the certificate is not issued by a trusted authority",
    21: "the certificate is not issued by a trusted authority",
    62: "the certificate is for another host",
    64: "the certificate is for another host",
}
"""Sentences by OpenSSL's X509_V_ERR codes. OpenSSL's own texts differ between versions."""

_UNRESOLVED = "the host name does not resolve"

_CONNECT_REASONS: dict[type[OSError], str] = {
    ConnectionRefusedError: "connection refused",
    ConnectionResetError: "connection reset while connecting",
    ConnectionAbortedError: "connection aborted while connecting",
    PermissionError: "the system does not permit the connection",
}
"""Sentences by type of error, which is the same on every system."""

_CONNECT_REASONS_BY_NUMBER = {
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the host",
    errno.EADDRNOTAVAIL: "no local port or address is left to connect from",
}

_NO_TLS_SPOKEN = frozenset({"HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "WRONG_VERSION_NUMBER"})
"""Reasons that versions of OpenSSL give for a response in plain text."""


class _Progress:
    """The current phase of connecting, one of `model.CONNECT_PHASES`."""

    phase = "resolve"


def trust(ca_file: Path | None, *, verify: bool) -> ssl.SSLContext:
    """Return a context that trusts what the system trusts and `ca_file`; without `verify`, any certificate.

    Raises `InvalidInputError` if the file cannot be used.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError:  # an ssl.SSLError is one, too
            raise InvalidInputError(f"CA file {ca_file} cannot be read, allowed: a file of PEM certificates") from None
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def dial(
    address: Address,
    make_protocol: Callable[[], _Protocol],
    context: ssl.SSLContext | None,
    seconds: float,
    targets: AllowedTargets | None = None,
    routes: Routes = NO_ROUTES,
) -> _Protocol | NoResponse | TimedOut:
    """Connect within `seconds`, over TLS if there is a context. Return the protocol, or why there is no connection.

    Without `targets` every address is allowed. `routes` may name the address.

    Raises `CouldNotTellError` if this process has no file descriptor left, which is not the consumer's failure.
    """
    progress = _Progress()
    try:
        async with asyncio.timeout(seconds):
            found = await _resolve(routes.led(address))
            progress.phase = "connect"
            if targets is not None:
                found = [one for one in found if targets.admits(address.host, str(one[2][0]))]
                if not found:
                    return _TARGET_NOT_ALLOWED
            connected = await _connect_socket(found, asyncio.get_running_loop().time() + seconds)
            if context is not None:
                progress.phase = "tls"
            # From here on the event loop owns the socket, and closes it on failure.
            _, protocol = await asyncio.get_running_loop().create_connection(
                make_protocol, sock=connected, ssl=context, server_hostname=None if context is None else address.host
            )
            return protocol
    except TimeoutError:
        return TimedOut(progress.phase)
    except RuntimeError as error:
        raise sockets_blocked(error) or error from None
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise CouldNotTellError("no file descriptor is left to connect with: raise the limit (ulimit -n)") from None
        if isinstance(error, ssl.SSLCertVerificationError):
            progress.phase = "certificate"
        return NoResponse(progress.phase, _reason(progress.phase, error))
    except UnicodeError:
        # Python encodes host names anew for each look-up, and event loops differ in how.
        return NoResponse("resolve", _UNRESOLVED)


async def _resolve(address: Address) -> list[_Target]:
    try:
        # A literal address needs no look-up, so no thread.
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    return [(family, protocol, target) for family, _, protocol, _, target in found]


async def _connect_socket(found: list[_Target], deadline: float) -> socket.socket:
    """Try one address after the other. Of several failures, a refused connection says most about the consumer.

    Each address gets an even share of the time that is left, so that one that does not react leaves some for others.
    """
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for index, (family, protocol, target) in enumerate(found):
        connecting: socket.socket | None = None
        addresses_left = len(found) - index
        share = None if addresses_left == 1 else (deadline - loop.time()) / addresses_left
        try:
            connecting = socket.socket(family, socket.SOCK_STREAM, protocol)
            connecting.setblocking(False)
            async with asyncio.timeout(share):
                await loop.sock_connect(connecting, target)
        except OSError as error:
            if not isinstance(failure, ConnectionRefusedError):
                failure = error
        except BaseException:
            if connecting is not None:
                connecting.close()
            raise
        else:
            return connecting
        if connecting is not None:
            connecting.close()
    raise failure or OSError(errno.EHOSTUNREACH, "no address")


def _reason(phase: str, error: OSError) -> str:
    if phase == "resolve":
        return _UNRESOLVED
    if phase == "connect":
        number = error.errno or 0
        unnamed = f"connecting failed ({errno.errorcode.get(number, 'no reason given')})"
        return _CONNECT_REASONS.get(type(error)) or _CONNECT_REASONS_BY_NUMBER.get(number, unnamed)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE_REASONS.get(error.verify_code, "the certificate is not accepted")
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "the port does not speak TLS" if error.reason in _NO_TLS_SPOKEN else "the TLS handshake failed"
    return "connection closed during the TLS handshake"
