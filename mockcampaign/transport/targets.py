"""Which hosts a sender may be pointed at, where others than its owner can say what it sends to."""

from __future__ import annotations

import functools
import ipaddress
import socket
from collections.abc import Iterable

from mockcampaign.errors import InvalidInputError
from mockcampaign.transport.address import parse_address

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

LOCAL_NETWORKS: tuple[IPNetwork, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "::1/128",
        "0.0.0.0/32",
        "::/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
    )
)
"""This machine (connecting to the unspecified address leads to it), and private networks (RFC 1918, RFC 4193).
Link-local addresses are left out: clouds tell a machine its credentials there (169.254.169.254)."""

METADATA_ADDRESSES = frozenset({ipaddress.ip_address("fd00:ec2::254")})
"""Where a cloud does the same at a private address (Amazon's, over IPv6)."""


class AllowedTargets:
    """An allow list: addresses by their network, hosts by their name.

    A name may be allowed whatever its addresses are, and an address whatever names lead to it. What a name leads to is
    looked at when it is connected to, and that very address is used: what it led to before proves nothing.
    """

    def __init__(self, allowed: Iterable[str] = (), *, local: bool) -> None:
        """Each of `allowed` is a host name, an address or a network such as `10.1.0.0/16`; with `local`, this machine
        and private networks are allowed besides.

        Raises `InvalidInputError` where one is neither.
        """
        self._local = local
        self._names: set[str] = set()
        self._networks: list[IPNetwork] = []
        for text in allowed:
            try:
                self._networks.append(ipaddress.ip_network(text))
            except ValueError:
                self._names.add(_host_name(text))
        # Without a look-up, the same host is always answered alike, and webhooks of one host come in numbers.
        self._may_be_allowed = functools.lru_cache(maxsize=1_024)(self._decide)

    def check(self, url: str) -> None:
        """Raises `InvalidInputError` where it is certain, without a look-up, that the URL's host is not allowed."""
        host = parse_address(url).host
        if not self._may_be_allowed(host):
            raise InvalidInputError(f"host {host} is not an allowed target, allowed: {self.describe()}")

    def admits(self, host: str, address: str) -> bool:
        """Whether an address, to which the host of a URL has led, may be connected to."""
        return host.lower() in self._names or self._holds(ipaddress.ip_address(address))

    def describe(self) -> str:
        """What is allowed, in one phrase."""
        explicit = "hosts and networks given with --allow-target"
        return f"loopback and private addresses, and {explicit}" if self._local else explicit

    def _decide(self, host: str) -> bool:
        addresses = _numeric(host)
        if addresses:
            return all(self.admits(host, address) for address in addresses)
        return self._local or bool(self._networks) or host.lower() in self._names

    def _holds(self, address: IPAddress) -> bool:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        address = mapped or address
        if any(address in network for network in self._networks):
            return True
        return (
            self._local and address not in METADATA_ADDRESSES and any(address in network for network in LOCAL_NETWORKS)
        )


def _host_name(text: str) -> str:
    allowed = f"{text!r} is no target to allow, allowed: a host name, an address or a network such as 10.1.0.0/16"
    if not text or any(char in text for char in "/:@?#[]"):
        raise InvalidInputError(allowed)
    try:
        return parse_address(f"http://{text}/").host.lower()
    except InvalidInputError:
        raise InvalidInputError(allowed) from None


def _numeric(host: str) -> list[str]:
    """The addresses that the host spells out, in any spelling that connecting takes, such as 0x7f.1; else none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return []
    return [str(target[0]) for *_, target in found]
