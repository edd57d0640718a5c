"""What a URL means for a sender: where to connect, and what to ask for."""

from __future__ import annotations

import functools
from urllib.parse import quote, urlsplit

import msgspec

from mockcampaign.errors import InvalidInputError


class Address(msgspec.Struct, frozen=True):
    """A URL taken apart."""

    tls: bool
    host: str
    port: int
    host_header: str
    path: str
    """With the query, as the request line carries it."""


@functools.lru_cache(maxsize=4096)
def parse_address(url: str) -> Address:
    """Raises `InvalidInputError` where the URL is not one a webhook can have."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInputError(f"{url!r} is not a URL: {error}, allowed: http(s)://host[:port]/path") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInputError(f"{url!r} is not a web address, allowed: http(s)://host[:port]/path")
    if parts.username is not None or parts.password is not None:
        raise InvalidInputError("a URL with credentials in it, allowed: credentials of the webhook")
    if any(ord(char) <= 32 or ord(char) == 127 for char in url):
        raise InvalidInputError(f"{url!r} holds blanks or control characters, allowed: percent-encoded ones")
    try:
        host = parts.hostname if ":" in parts.hostname else parts.hostname.encode("idna").decode("ascii")
    except UnicodeError:
        raise InvalidInputError(f"{url!r} holds no valid host name") from None
    tls = parts.scheme == "https"
    bracketed = f"[{host}]" if ":" in host else host
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~") + (
        f"?{quote(parts.query, safe='/%:@!$&()*+,;=-._~?' + chr(39))}" if parts.query else ""
    )
    default_port = 443 if tls else 80
    return Address(
        tls=tls,
        host=host,
        port=default_port if port is None else port,
        host_header=bracketed if port in (None, default_port) else f"{bracketed}:{port}",
        path=path,
    )
