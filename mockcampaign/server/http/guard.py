"""Who may reach the server at all: proof against DNS rebinding and against requests that another site makes."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from starlette.types import Message, Send

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Whatever a consumer answers, a page that shows it runs nothing of it and asks no other address."""

API_HEADERS = ((b"x-content-type-options", b"nosniff"),)
"""JSON runs nothing, as long as nobody takes it for something else."""
PAGE_HEADERS = (
    *API_HEADERS,
    (b"content-security-policy", PAGE_POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    # Asked again each time, and answered with 304: a page's parts must be of one version.
    (b"cache-control", b"no-cache"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HOSTS_REMEMBERED = 100


def adding(headers: Sequence[tuple[bytes, bytes]], send: Send) -> Send:
    """Sends answers with these headers besides their own."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *headers]
        await send(message)

    return send_with_headers


class Guard:
    """A request must name this server in `Host`; one that a browser sends must come from the server's own pages."""

    def __init__(self, host_names: Iterable[str]) -> None:
        """`host_names` are those by which clients know the server, besides addresses and the names of loopback."""
        self._host_names = frozenset(name.lower() for name in host_names)
        self._ours: set[bytes] = set()

    def problem(self, method: str, headers: Mapping[bytes, bytes], *, page: bool) -> str | None:
        """Why a request is refused; None where it is not. Any site may link to a `page`."""
        host = headers.get(b"host", b"")
        if not self._is_ours(host):
            shown = host[:100].decode("latin-1")
            return f"Host {shown!r} is not allowed, allowed: addresses, localhost and names given with --allow-host"
        if page and method in _SAFE_METHODS:
            return None
        # Names of hosts are equal whatever their case (RFC 9110).
        origin = headers.get(b"origin", b"").lower()
        own = not origin or origin in (b"http://" + host.lower(), b"https://" + host.lower())
        if not own or headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            return "the call came from another site, allowed: pages of this server, and programs"
        return None

    def _is_ours(self, host: bytes) -> bool:
        if host not in self._ours:
            if not self._is_named_ours(_host_name(host.decode("latin-1"))):
                return False
            if len(self._ours) >= _HOSTS_REMEMBERED:
                self._ours.clear()
            self._ours.add(host)
        return True

    def _is_named_ours(self, name: str) -> bool:
        if name in self._host_names or name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            # Rebinding needs a name: an address cannot be pointed elsewhere.
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
