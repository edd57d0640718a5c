"""Who the recipients are and where they act: identities, mail clients and addresses, all from the number of each."""

from __future__ import annotations

from enum import StrEnum
from math import gcd

import msgspec

from mockcampaign.events import values
from mockcampaign.events.random_words import Dice, Mix, Words, share
from mockcampaign.events.values import Client

_SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_PAIRS = [first + second for first in _SYMBOLS for second in _SYMBOLS]

AUDIENCE_MAX = 5_000_000
"""Most recipients of one mailing. Ours: up to here a mailing streams in 150 MB."""


class Actor(StrEnum):
    """Who acts, which decides address and client."""

    PERSON = "person"
    """The recipient, at home."""
    ELSEWHERE = "person elsewhere"
    """The recipient, on another device."""
    FRIEND = "friend"
    """Somebody to whom the mail was forwarded."""
    IMAGE_PROXY = "image proxy"
    """The mail provider's server, when the recipient opens the mail."""
    PRIVACY_PROXY = "privacy proxy"
    """The mail provider's server, without the recipient's doing anything."""
    SCANNER = "security scanner"
    """A server that looks for evil links before the mail is delivered."""


MACHINES = frozenset({Actor.PRIVACY_PROXY, Actor.SCANNER})
"""Actors without a person who acts."""


class Traces(msgspec.Struct, frozen=True, gc=False):
    """What an act shows of who acted."""

    address: str
    client: Client


PRIVATE, SCANNED, ZONE, MAILBOX, LIST, IN_TWO_LISTS, SECOND_DEVICE, PROXY, ADDRESS = range(9)
REPEATS, REPEATED, DETAIL = range(13, 16)
"""Which word of a person's throw decides what: `ADDRESS` is the first of five, and the last three are for events that
are asked for by number. A person is the same in all mailings to its audience."""


class RecipientIds(StrEnum):
    """What a client's lists know their recipients by (vendor's API description: whatever the client chose)."""

    DIGITS = "digits"
    EMAIL = "email"
    CUSTOMER_NUMBER = "customer-number"


def _number(words: Words) -> int:
    return sum(word << 32 * index for index, word in enumerate(words))


class Numbering:
    """Shuffles the numbers below `size`: different ones stay different, neighbours do not stay together."""

    def __init__(self, size: int, words: Words) -> None:
        self.size = size
        self.offset = _number(words[:8]) % size
        factor = _number(words[8:]) % size
        while gcd(factor, size) != 1:
            factor += 1
        self.factor = factor

    def place(self, number: int) -> int:
        """Where the number went."""
        return (number * self.factor + self.offset) % self.size


class Audience:
    """The recipients, lists and mailings of one client, by number.

    A mailId is made from the numbers of mailing, list and recipient, and from nothing else; each of its three groups is
    a shuffled number, so that two mails never share a mailId (for up to 2.8 * 10^12 recipients and mailings).
    """

    def __init__(self, seed: str, ids: RecipientIds = RecipientIds.DIGITS) -> None:
        dice = Dice(seed, "audience")
        self.people = Dice(seed, "people")
        """A throw for each recipient, read by the names above."""
        self._places = Dice(seed, "places")
        low, high = values.ID_RANGE
        first, second, third = (36**digits for digits in values.MAIL_ID_GROUPS)
        self.recipient_id = {
            RecipientIds.DIGITS: self._digits,
            RecipientIds.EMAIL: _address_of,
            RecipientIds.CUSTOMER_NUMBER: self._customer_number,
        }[ids]
        """As the client's lists know the recipient of a number."""
        self._mailing_ids = Numbering((high - low + 1) // 2, dice.throw(0))
        self._list_ids = Numbering((high - low + 1) // 4, dice.throw(1))
        self._recipient_base = low + Numbering((high - low) // 2, dice.throw(2)).place(0)
        subscriptions = values.SUBSCRIPTION_ID_RANGE
        self._subscription_base = subscriptions[0]
        self._subscriptions = Numbering(subscriptions[1] - subscriptions[0] + 1, dice.throw(3))
        self._mailing_groups = Numbering(first, dice.throw(4))
        self._recipient_groups = Numbering(second, dice.throw(5))
        self._list_groups = Numbering(third, dice.throw(6))

    def mailing_id(self, number: int) -> int:
        """In the lower half of the range, where no list id lies."""
        return values.ID_RANGE[0] + self._mailing_ids.place(number)

    def user_list_id(self, number: int) -> int:
        """In the upper half of the range."""
        low, high = values.ID_RANGE
        return (low + high + 1) // 2 + self._list_ids.place(number)

    def subscription_id(self, list_number: int, number: int) -> int:
        """One for each list and recipient, as far as seven digits go."""
        shuffled = self._subscriptions
        place = ((number * values.LISTS + list_number) * shuffled.factor + shuffled.offset) % shuffled.size
        return self._subscription_base + place

    def _digits(self, number: int) -> str:
        return str(self._recipient_base + number)

    def _customer_number(self, number: int) -> str:
        return f"{self._recipient_base % 10**6 + number:010}"

    def traces(self, recipient: int, person: Words, actor: Actor, *, private: bool = False, which: int = 0) -> Traces:
        """What an act shows. `person` is the recipient's throw.

        `private` says whether the mailbox is behind a privacy proxy, and `which` tells friends from each other.
        """
        if actor is Actor.PERSON:
            return at_home(person, private=private)
        if actor is Actor.FRIEND:
            place = self._places.throw((which + 1) << 32 | recipient)
            return Traces(person_address(place), _MAILBOXES.choose(place[8]))
        if actor is Actor.ELSEWHERE:
            place = self._places.throw(recipient)
            return Traces(person_address(place), _SECOND_DEVICES.choose(person[SECOND_DEVICE]))
        return of_machine(_MACHINES[actor], person)

    def mail_ids(self, mailing_id: int) -> MailIds:
        """Of all mails of one mailing."""
        first, _, third = values.MAIL_ID_GROUPS
        lists = [base36(self._list_groups.place(number), third) for number in range(values.LISTS)]
        return MailIds(base36(self._mailing_groups.place(mailing_id), first), self._recipient_groups, lists)


def _address_of(number: int) -> str:
    first = values.FIRST_NAMES[number % len(values.FIRST_NAMES)]
    last = values.LAST_NAMES[number // 7 % len(values.LAST_NAMES)]
    return f"{first}.{last}{number}@{values.MAIL_DOMAINS[number % len(values.MAIL_DOMAINS)]}"


class MailIds:
    """The mailIds of one mailing: a group each for mailing, recipient and list."""

    def __init__(self, mailing_group: str, recipient_groups: Numbering, list_groups: list[str]) -> None:
        self._mailing_group = mailing_group
        self._recipients = recipient_groups
        self._list_groups = list_groups

    def mail_id(self, list_number: int, recipient_group: str) -> str:
        """One for each list and recipient."""
        return f"{self._mailing_group}-{recipient_group}-{self._list_groups[list_number]}"

    def recipient_group(self, number: int) -> str:
        """`base36` of the recipient's place. Written out for eight digits, as every event needs one."""
        shuffled = self._recipients
        place = (number * shuffled.factor + shuffled.offset) % shuffled.size
        high, low = place // 36**4, place % 36**4
        return f"{_PAIRS[high // 1296]}{_PAIRS[high % 1296]}{_PAIRS[low // 1296]}{_PAIRS[low % 1296]}"


def base36(number: int, digits: int) -> str:
    """The number in A-Z and 0-9, as so many digits."""
    symbols = []
    for _ in range(digits):
        number, symbol = divmod(number, 36)
        symbols.append(_SYMBOLS[symbol])
    return "".join(reversed(symbols))


_MAILBOXES = Mix((weight, client) for weight, (_, client) in values.MAILBOXES)
_OPENERS = Mix((weight, None if owner == values.GOOGLE else client) for weight, (owner, client) in values.MAILBOXES)
_APPLE = Mix(values.APPLE_MAILBOXES)
_SECOND_DEVICES = Mix(values.SECOND_DEVICES)

IMAGE_PROXIES = [Traces(address, values.GOOGLE_PROXY) for address in values.GOOGLE_PROXY_ADDRESSES]
PRIVACY_PROXIES = [Traces(address, values.PRIVACY_PROXY) for address in values.PRIVACY_PROXY_ADDRESSES]
SCANNERS = [Traces(address, values.SCANNER) for address in values.SCANNER_ADDRESSES]
_MACHINES = {
    Actor.IMAGE_PROXY: IMAGE_PROXIES,
    Actor.PRIVACY_PROXY: PRIVACY_PROXIES,
    Actor.SCANNER: SCANNERS,
}


def opened_by(person: Words) -> Actor:
    """Who fetches the images when the recipient opens a mail at home."""
    return Actor.IMAGE_PROXY if _OPENERS.choose(person[MAILBOX]) is None else Actor.PERSON


def opening(person: Words) -> Traces:
    """What the recipient's open shows, at home and without a privacy proxy."""
    client = _OPENERS.choose(person[MAILBOX])
    return of_machine(IMAGE_PROXIES, person) if client is None else Traces(person_address(person[ADDRESS:]), client)


def at_home(person: Words, *, private: bool) -> Traces:
    """What all else shows that the recipient does at home."""
    client = (_APPLE if private else _MAILBOXES).choose(person[MAILBOX])
    return Traces(person_address(person[ADDRESS:]), client)


def of_machine(machines: list[Traces], person: Words) -> Traces:
    """What an act shows of one of the machines that serve very many people."""
    return machines[person[PROXY] * len(machines) >> 32]


_IPV6 = share(values.IPV6_SHARE)
_DOCUMENTATION = share(values.DOCUMENTATION_SHARE)


def _network(address: str, bits: int) -> tuple[int, int]:
    first, second, third, fourth = (int(part) for part in address.split("."))
    return first << 24 | second << 16 | third << 8 | fourth, (1 << 32 - bits) - 1


_DOCUMENTATION_NETWORKS = [_network(*block) for block in values.DOCUMENTATION_BLOCKS]
_PROVIDER_NETWORKS = [_network(*block) for block in values.PROVIDER_BLOCKS]


def person_address(words: Words) -> str:
    """The address of a person's connection, from the first five words."""
    if words[0] < _IPV6:
        block = values.PROVIDER_BLOCKS_6[words[1] * len(values.PROVIDER_BLOCKS_6) >> 32]
        # No group is zero: the short form of such an address is the only one (RFC 5952).
        return (
            f"{block}:{words[2] >> 16 or 1:x}:{words[2] & 0xFFFF or 1:x}:{words[3] >> 16 or 1:x}:"
            f"{words[3] & 0xFFFF or 1:x}:{words[4] >> 16 or 1:x}:{words[4] & 0xFFFF or 1:x}"
        )
    networks = _DOCUMENTATION_NETWORKS if words[1] < _DOCUMENTATION else _PROVIDER_NETWORKS
    base, mask = networks[words[2] * len(networks) >> 32]
    address = base | words[3] & mask
    last = address & 0xFF
    if last == 0 or last == 255:  # the network's own, and its broadcast's
        address ^= 1 << 1
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"
