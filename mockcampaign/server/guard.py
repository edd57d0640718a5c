"""Who may reach the server at all: proof against DNS rebinding and against requests that another site makes."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Whatever a consumer answers, a page that shows it runs nothing of it and asks no other address."""

_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_API_PREFIXES = ("/rest/", "/__mockcampaign/")
_PAGES_PREFIX = "/__mockcampaign/pages/"


class Guard:
    """Middleware. A request must name this server in `Host`; one that a browser sends must come from its own pages."""

    def __init__(self, app: ASGIApp, *, host_names: Iterable[str]) -> None:
        """`host_names` are those by which clients know the server, besides addresses and the names of loopback."""
        self._app = app
        self._host_names = frozenset(name.lower() for name in host_names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, text in _HEADERS.items():
                    headers.setdefault(name, text)
            await send(message)

        problem = self._problem(scope)
        if problem is None:
            await self._app(scope, receive, send_with_headers)
            return
        body = msgspec.json.encode({"error": problem})
        await Response(body, 403, media_type="application/json")(scope, receive, send_with_headers)

    def _problem(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        name = _host_name(host)
        if not self._is_ours(name):
            return (
                f"Host {name[:100]!r} is not allowed, allowed: addresses, localhost and names given with --allow-host"
            )
        path, method = scope["path"], scope["method"]
        guarded = path.startswith(_API_PREFIXES) and not path.startswith(_PAGES_PREFIX)
        if method in _SAFE_METHODS and not guarded:
            return None
        # RFC 9110 makes host names equal whatever their case; browsers send both headers in lower case.
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            return "the call came from another site, allowed: pages of this server, and programs"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return "the call came from another site, allowed: pages of this server, and programs"
        return None

    def _is_ours(self, name: str) -> bool:
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
