"""Decides which hosts webhooks may send to, if others than the owner of this process can create webhooks."""

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
Link-local addresses are left out: clouds give a machine its credentials there (169.254.169.254)."""

METADATA_ADDRESSES = frozenset({ipaddress.ip_address("fd00:ec2::254")})
"""Private addresses with the same purpose (Amazon's, over IPv6)."""


class AllowedTargets:
    """An allow list of addresses, by network, and of hosts, by name.

    An allowed name may have any address, and an allowed address any name. The address of a name is checked when
    connecting, and the connection uses this very address: an earlier look-up proves nothing.
    """

    def __init__(self, allowed: Iterable[str] = (), *, local: bool) -> None:
        """Each of `allowed` is a host name, an address or a network such as `10.1.0.0/16`; with `local`, this machine
        and private networks are allowed, too.

        Raises `InvalidInputError` for anything else.
        """
        self._local = local
        self._names: set[str] = set()
        self._networks: list[IPNetwork] = []
        for text in allowed:
            try:
                self._networks.append(ipaddress.ip_network(text))
            except ValueError:
                self._names.add(_host_name(text))
        # Without a look-up, the decision on a host never changes, and many webhooks share a host.
        self._may_be_allowed = functools.lru_cache(maxsize=1_024)(self._decide)

    def check(self, url: str) -> None:
        """Raise `InvalidInputError` if it is certain without a look-up that the URL's host is not allowed."""
        host = parse_address(url).host
        if not self._may_be_allowed(host):
            raise InvalidInputError(f"host {host} is not an allowed target, allowed: {self.describe()}")

    def admits(self, host: str, address: str) -> bool:
        """Whether the address, which a look-up of the host returned, is allowed."""
        return host.lower() in self._names or self._holds(ipaddress.ip_address(address))

    def describe(self) -> str:
        """Return a phrase that says what is allowed."""
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
    allowed = f"{text!r} is not a target, allowed: a host name, an address or a network such as 10.1.0.0/16"
    if not text or any(char in text for char in "/:@?#[]"):
        raise InvalidInputError(allowed)
    try:
        return parse_address(f"http://{text}/").host.lower()
    except InvalidInputError:
        raise InvalidInputError(allowed) from None


def _numeric(host: str) -> list[str]:
    """Return the addresses that a host spells out, in any spelling such as 0x7f.1; none for a name."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return []
    return [str(target[0]) for *_, target in found]
