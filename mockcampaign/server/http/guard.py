"""Protection against DNS rebinding and against requests from other sites."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from starlette.types import Message, Send

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A page that shows a consumer's response runs nothing of it and calls no other address."""

API_HEADERS = ((b"x-content-type-options", b"nosniff"),)
"""JSON is harmless as long as no browser takes it for another type."""
PAGE_HEADERS = (
    *API_HEADERS,
    (b"content-security-policy", PAGE_POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    # Browsers ask again each time and get 304: all parts of a page must be of one version.
    (b"cache-control", b"no-cache"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HOSTS_REMEMBERED = 100


def adding(headers: Sequence[tuple[bytes, bytes]], send: Send) -> Send:
    """Return a `send` that adds these headers to the response."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *headers]
        await send(message)

    return send_with_headers


class Guard:
    """Accepts requests that name this server in `Host`, and from browsers only those of the server's own pages."""

    def __init__(self, host_names: Iterable[str]) -> None:
        """`host_names` are names of the server besides addresses and the names of loopback."""
        self._host_names = frozenset(name.lower() for name in host_names)
        self._ours: set[bytes] = set()

    def problem(self, method: str, headers: Mapping[bytes, bytes], *, page: bool) -> str | None:
        """Return why a request is rejected; None if it is not. Any site may link to a `page`."""
        host = headers.get(b"host", b"")
        if not self._is_ours(host):
            shown = host[:100].decode("latin-1")
            return f"Host {shown!r} is not allowed, allowed: addresses, localhost and names given with --allow-host"
        if page and method in _SAFE_METHODS:
            return None
        # Host names are case-insensitive (RFC 9110).
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
            # Rebinding needs a name, because nobody can point an address elsewhere.
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
