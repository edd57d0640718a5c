"""Checks and encodes the URL, method and headers of a request before anything is sent."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.masking import shown_url
from mockcampaign.text import short

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNFIT_FOR_URL = re.compile(r"[\x00-\x20\x7f]")
_UNFIT_FOR_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_HOST = re.compile(r"[a-z0-9._-]{1,253}")
"""Host names that can be looked up and named in a header: letters, digits and hyphens, and underscores, which
containers have in their names."""

_PATH_SAFE = "/%:@!$&'()*+,;=-._~"
_QUERY_SAFE = _PATH_SAFE + "?"

_OURS = frozenset({"connection", "content-length", "host", "transfer-encoding"})
"""Request headers that only the transport can set. With a second one the consumer would read another request."""


class Address(msgspec.Struct, frozen=True):
    """The parts of a URL."""

    tls: bool
    host: str
    """In ASCII, an IPv6 address without brackets."""
    port: int
    host_header: str
    path: str
    """Path in the request line, percent-encoded."""
    query: str
    """Query without its question mark; empty if the URL has none."""

    @property
    def target(self) -> str:
        """Path and query in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path


class Routes(msgspec.Struct, frozen=True):
    """Where requests really go, and what their `Host` says, for consumers that are not at their final address yet.

    The name in a URL stays the name for which its certificate has to be valid.
    """

    addresses: dict[tuple[str, int], str] = {}
    """IP address to connect to, by host and port of a URL."""
    host_headers: dict[tuple[str, int], str] = {}
    """Value of the `Host` header, by host and port of a URL."""

    def led(self, address: Address) -> Address:
        """Return the address with the host to connect to."""
        host = self.addresses.get((address.host, address.port))
        return address if host is None else msgspec.structs.replace(address, host=host)


NO_ROUTES = Routes()

_HOST_HEADER = re.compile(r"[0-9A-Za-z._~%!$&'()*+,;=-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


def parse_resolve(text: str) -> tuple[tuple[str, int], str]:
    """Return host and port, and the IP address, of `NAME:PORT:ADDRESS`. Raises `InvalidInputError` for other text."""
    name, _, rest = text.partition(":")
    port, _, found = rest.partition(":")
    address = found[1:-1] if found.startswith("[") and found.endswith("]") else found
    try:
        ipaddress.ip_address(address)
        host = parse_address(f"http://{name}:{port}/").host
    except (ValueError, InvalidInputError):
        host = ""
    if not host or not port:
        raise InvalidInputError(
            f"{short(text)!r}, allowed: NAME:PORT:ADDRESS with an IP address, such as api.example.com:443:127.0.0.1"
        )
    return (host, int(port)), address


def check_host_header(text: str) -> str:
    """Return the value of a `Host` header. Raises `InvalidInputError` if it is none."""
    if not _HOST_HEADER.fullmatch(text):
        raise InvalidInputError(f"{short(text)!r}, allowed: a host such as api.example.com, perhaps with :PORT")
    return text


@functools.lru_cache(maxsize=4096)
def parse_address(url: str) -> Address:
    """Return the parts of a URL. Raises `InvalidInputError` if a webhook cannot have it."""
    # Error messages go to logs and reports, so they never repeat a possible password.
    shown = repr(shown_url(url))
    if _UNFIT_FOR_URL.search(url):
        raise InvalidInputError(f"URL {shown} contains blanks or control characters, allowed: percent-encoded ones")
    try:
        parts = urlsplit(url)
        if parts.username is not None:
            raise InvalidInputError(f"URL {shown} contains credentials, allowed: the webhook's authentication")
        port = parts.port
        host = _encoded_host(parts.hostname or "", bracketed="[" in parts.netloc)
        path, query = quote(parts.path or "/", safe=_PATH_SAFE), quote(parts.query, safe=_QUERY_SAFE)
    except ValueError:  # a UnicodeError is one, too
        raise InvalidInputError(f"URL {shown} is malformed, allowed: http(s)://host[:port]/path") from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise InvalidInputError(f"URL {shown} is not a web address, allowed: http(s)://host[:port]/path")
    tls = parts.scheme == "https"
    default_port = 443 if tls else 80
    bracketed = f"[{host}]" if ":" in host else host
    return Address(
        tls=tls,
        host=host,
        port=port or default_port,
        host_header=bracketed if port in (None, default_port) else f"{bracketed}:{port}",
        path=path,
        query=query,
    )


def _encoded_host(host: str, *, bracketed: bool) -> str:
    """Return a host in ASCII. Raises `ValueError` if it is neither a name nor an address, or has a zone."""
    if bracketed:
        if "%" in host:
            raise ValueError("a zone belongs to one machine, and never to a Host header (RFC 6874)")
        ipaddress.IPv6Address(host)
        return host
    encoded = host.encode("idna").decode("ascii").lower()
    if encoded and not _HOST.fullmatch(encoded):
        raise ValueError("not a host name")
    return encoded


@functools.lru_cache(maxsize=1024)
def encode_headers(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[bytes, bytes], ...]:
    """Encode names in ASCII and values in UTF-8. Raises `InvalidInputError` if they would break out of their lines."""
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise InvalidInputError(
                f"header name {name!r} cannot be sent, allowed: ASCII letters, digits, !#$%&'*+.^_`|~-"
            )
        if name.lower() in _OURS:
            raise InvalidInputError(
                f"header {name} is set by the transport, allowed: any but {', '.join(sorted(_OURS))}"
            )
        # The value may be a secret: it is not shown.
        if _UNFIT_FOR_VALUE.search(value):
            raise InvalidInputError(f"header {name}: its value contains control characters, allowed: one line of text")
    return tuple((name.encode("ascii"), value.strip(" \t").encode()) for name, value in headers)


def encode_start(method: str, url: str, version: str) -> bytes:
    """Return the request line. Raises `InvalidInputError` as `parse_address` does, and for an invalid method."""
    if not _TOKEN.fullmatch(method):
        raise InvalidInputError(f"method {method!r} cannot be sent, allowed: one word such as POST")
    return f"{method} {parse_address(url).target} HTTP/{version}\r\n".encode("ascii")


@functools.lru_cache(maxsize=1024)
def encode_head(
    method: str, url: str, headers: tuple[tuple[str, str], ...], host_header: str | None = None
) -> tuple[Address, bytes]:
    """Return the address to connect to, and the request up to the value of `Content-Length`, its last header.

    `host_header` takes the place of the URL's host.

    Raises `InvalidInputError` as `encode_start` and `encode_headers` do.
    """
    start = encode_start(method, url, "1.1")
    address = parse_address(url)
    host = address.host_header if host_header is None else host_header
    fields = [(b"Host", host.encode("ascii")), *encode_headers(headers)]
    return address, b"".join([start, *(b"%s: %s\r\n" % field for field in fields), b"Content-Length: "])


def routes_to(consumers: Iterable[str], host_header: str | None, resolve: Iterable[str]) -> Routes:
    """Return the routes for consumers at these URLs. Raises `InvalidInputError` if no webhook can have one of them."""
    places = [_place(url) for url in consumers]
    return Routes(dict(map(parse_resolve, resolve)), {} if host_header is None else dict.fromkeys(places, host_header))


def check_resolved(routes: Routes, urls: Iterable[str]) -> None:
    """Raise `InvalidInputError` for a `--resolve` of a name and port that none of the URLs has."""
    used = dict.fromkeys(map(_place, urls))
    for host, port in routes.addresses:
        if (host, port) not in used:
            allowed = ", ".join(f"{name}:{number}" for name, number in used)
            raise InvalidInputError(f"--resolve {host}:{port}: no URL has this name and port, allowed: {allowed}")


def _place(url: str) -> tuple[str, int]:
    address = parse_address(url)
    return address.host, address.port
