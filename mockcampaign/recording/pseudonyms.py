"""Pseudonyms for the people in recorded events: one person has the same pseudonym all over a recording.

They replace recipient ids, e-mail addresses and network addresses, also inside other texts of an event such as a link.
Mail and subscription ids stay, because only the sender knows whose they are.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")

_ADDRESS_FIELD = "remoteAddress"
_RECIPIENT_FIELD = "recipientId"

_IPV4 = ipaddress.ip_network("10.0.0.0/8")
_IPV6 = ipaddress.ip_network("2001:db8::/32")
"""Addresses that belong to nobody: private (RFC 1918), and for documentation (RFC 3849)."""

TEXT_MIN = 4
"""Fewest characters of a recipient id that is replaced in other texts too, where a shorter one could mean anything."""


class Pseudonyms:
    """Assigns pseudonyms and remembers them for one recording."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._recipients = 0
        self._addresses = {4: 0, 6: 0}

    def event(self, event: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the event with pseudonyms, and those pseudonyms by original."""
        used: dict[str, str] = {}
        recipient = event.get(_RECIPIENT_FIELD)
        if isinstance(recipient, str | int) and not isinstance(recipient, bool) and recipient != "":
            used[str(recipient)] = self._recipient(str(recipient))
        address = event.get(_ADDRESS_FIELD)
        if isinstance(address, str):
            used[address] = self._address(address)
        return self._value(event, used, name=""), used

    def text(self, text: str, used: dict[str, str]) -> str:
        """Return the text with these pseudonyms, and with a pseudonym for every other e-mail address."""
        for original, name in sorted(used.items(), key=lambda pair: -len(pair[0])):
            if len(original) >= TEXT_MIN:
                text = text.replace(original, name)
        return _EMAIL.sub(lambda found: self._email(found[0]), text)

    def _value(self, value: Any, used: dict[str, str], name: str) -> Any:
        match value:
            case dict():
                return {key: self._value(inner, used, key) for key, inner in value.items()}
            case list():
                return [self._value(inner, used, name) for inner in value]
            case str() if name in (_RECIPIENT_FIELD, _ADDRESS_FIELD) and value in used:
                return used[value]
            case str():
                return self.text(value, used)
            case int() if name == _RECIPIENT_FIELD and str(value) in used:
                return int(used[str(value)])
            case _:
                return value

    def _recipient(self, recipient: str) -> str:
        if "@" in recipient:
            return self._email(recipient)
        if recipient not in self._names:
            self._recipients += 1
            number = str(self._recipients)
            digits = recipient.isascii() and recipient.isdigit()
            # Same length and no leading zero, so that a number stays a number.
            self._names[recipient] = f"1{number:0>{len(recipient) - 1}}" if digits else f"recipient-{number}"
        return self._names[recipient]

    def _email(self, address: str) -> str:
        if address.lower().endswith("@recipient.example"):
            return address
        key = address.lower()
        if key not in self._names:
            self._recipients += 1
            self._names[key] = f"r{self._recipients}@recipient.example"
        return self._names[key]

    def _address(self, address: str) -> str:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return address
        if parsed.is_unspecified or parsed.is_loopback:
            return address  # it belongs to nobody
        if address not in self._names:
            self._addresses[parsed.version] += 1
            network = _IPV4 if parsed.version == 4 else _IPV6
            self._names[address] = str(network[self._addresses[parsed.version] % (1 << 24)])
        return self._names[address]
