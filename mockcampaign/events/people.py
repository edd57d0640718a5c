"""The recipients: their ids, mail clients and addresses, all computed from a recipient's number."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from math import gcd
from typing import assert_never

import msgspec

from mockcampaign.events import field_values
from mockcampaign.events.field_values import Client
from mockcampaign.events.random_words import RandomWords, WeightedChoice, Words, threshold

_SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_PAIRS = [first + second for first in _SYMBOLS for second in _SYMBOLS]

AUDIENCE_MAX = 5_000_000
"""Maximum number of recipients of one mailing. Our choice: up to this number, a mailing streams in 150 MB."""


class Actor(StrEnum):
    """The person or machine behind an event, which decides its address and client."""

    PERSON = "person"
    """The recipient, at home."""
    ELSEWHERE = "person elsewhere"
    """The recipient, on another device."""
    FRIEND = "friend"
    """A person to whom the mail was forwarded."""
    IMAGE_PROXY = "image proxy"
    """The mail provider's server, when the recipient opens the mail."""
    PRIVACY_PROXY = "privacy proxy"
    """The mail provider's server, without any action of the recipient."""
    SCANNER = "security scanner"
    """A server that looks for malicious links before the mail is delivered."""


MACHINES = frozenset({Actor.PRIVACY_PROXY, Actor.SCANNER})
"""Actors that are not people."""


class Origin(msgspec.Struct, frozen=True, gc=False):
    """The address and client that an event shows."""

    address: str
    client: Client


PRIVATE, SCANNED, ZONE, MAILBOX, LIST, IN_TWO_LISTS, SECOND_DEVICE, PROXY, ADDRESS = range(9)
UNTRACKED = 13
REPEATS, REPEATED, DETAIL = range(13, 16)
"""Meaning of a person's random words. `ADDRESS` is the first of five, `UNTRACKED` is for planned mailings, and the last
three are for events that are not part of one. A person is the same in all mailings of an audience."""


class RecipientIds(StrEnum):
    """The kind of recipient ids in a client's recipient lists (vendor's API description: the client chooses)."""

    DIGITS = "digits"
    EMAIL = "email"
    CUSTOMER_NUMBER = "customer-number"


def _number(words: Words) -> int:
    return sum(word << 32 * index for index, word in enumerate(words))


class Permutation:
    """A permutation of the numbers below `size`, which separates neighbours."""

    def __init__(self, size: int, words: Words) -> None:
        self.size = size
        self.offset = _number(words[:8]) % size
        factor = _number(words[8:]) % size
        while gcd(factor, size) != 1:
            factor += 1
        self.factor = factor

    def apply(self, number: int) -> int:
        """Return the number that takes this number's place."""
        return (number * self.factor + self.offset) % self.size


class Audience:
    """The recipients, lists and mailings of one client, by number.

    A mail id is made from the numbers of mailing, list and recipient alone. Each of its three groups is a permuted
    number, so two mails never share one (for up to 2.8 * 10^12 recipients and mailings).
    """

    def __init__(self, seed: str, ids: RecipientIds = RecipientIds.DIGITS) -> None:
        source = RandomWords(seed, "audience")
        self.people = RandomWords(seed, "people")
        """Random words of each recipient, with the meanings above."""
        self._places = RandomWords(seed, "places")
        low, high = field_values.ID_RANGE
        first, second, third = (36**digits for digits in field_values.MAIL_ID_GROUPS)
        self.recipient_id = self._recipient_ids(ids)
        """Returns the recipient id of a recipient's number."""
        self._mailing_ids = Permutation((high - low + 1) // 2, source.words(0))
        self._list_ids = Permutation((high - low + 1) // 4, source.words(1))
        self._recipient_base = low + Permutation((high - low) // 2, source.words(2)).apply(0)
        subscriptions = field_values.SUBSCRIPTION_ID_RANGE
        self._subscription_base = subscriptions[0]
        self._subscriptions = Permutation(subscriptions[1] - subscriptions[0] + 1, source.words(3))
        self._mailing_groups = Permutation(first, source.words(4))
        self._recipient_groups = Permutation(second, source.words(5))
        self._list_groups = Permutation(third, source.words(6))

    def mailing_id(self, number: int) -> int:
        """Return the id of a mailing. It is in the lower half of the range, where no list id is."""
        return field_values.ID_RANGE[0] + self._mailing_ids.apply(number)

    def user_list_id(self, number: int) -> int:
        """Return the id of a recipient list. It is in the upper half of the range."""
        low, high = field_values.ID_RANGE
        return (low + high + 1) // 2 + self._list_ids.apply(number)

    def subscription_id(self, list_number: int, number: int) -> int:
        """Return the subscription id of a list and recipient; seven digits repeat at some point."""
        shuffled = self._subscriptions
        place = ((number * field_values.LISTS + list_number) * shuffled.factor + shuffled.offset) % shuffled.size
        return self._subscription_base + place

    def _digits(self, number: int) -> str:
        return str(self._recipient_base + number)

    def _recipient_ids(self, ids: RecipientIds) -> Callable[[int], str]:
        match ids:
            case RecipientIds.DIGITS:
                return self._digits
            case RecipientIds.EMAIL:
                return email_of
            case RecipientIds.CUSTOMER_NUMBER:
                return self._customer_number
            case _:
                assert_never(ids)

    def _customer_number(self, number: int) -> str:
        return f"{self._recipient_base % 10**6 + number:010}"

    def origin(self, recipient: int, person: Words, actor: Actor, *, private: bool = False, which: int = 0) -> Origin:
        """Return the origin of an event. `person` are the random words of the recipient.

        `private` says whether the mailbox is behind a privacy proxy, and `which` is the index of a friend.
        """
        match actor:
            case Actor.PERSON:
                return home_origin(person, private=private)
            case Actor.FRIEND:
                place = self._places.words((which + 1) << 32 | recipient)
                return Origin(person_address(place), _MAILBOXES.choose(place[8]))
            case Actor.ELSEWHERE:
                place = self._places.words(recipient)
                return Origin(person_address(place), _SECOND_DEVICES.choose(person[SECOND_DEVICE]))
            case Actor.IMAGE_PROXY:
                return machine_origin(IMAGE_PROXIES, person)
            case Actor.PRIVACY_PROXY:
                return machine_origin(PRIVACY_PROXIES, person)
            case Actor.SCANNER:
                return machine_origin(SCANNERS, person)
            case _:
                assert_never(actor)

    def mail_id(self, mailing_id: int, list_id: int, number: int) -> str:
        """Return the id of a single mail: no two numbers share one."""
        first, second, third = field_values.MAIL_ID_GROUPS
        groups = (
            base36(self._mailing_groups.apply(mailing_id), first),
            base36(self._recipient_groups.apply(number), second),
            base36(self._list_groups.apply(list_id), third),
        )
        return "-".join(groups)

    def mail_ids(self, mailing_id: int) -> MailIds:
        """Return the mail ids of one mailing."""
        first, _, third = field_values.MAIL_ID_GROUPS
        lists = [base36(self._list_groups.apply(number), third) for number in range(field_values.LISTS)]
        return MailIds(base36(self._mailing_groups.apply(mailing_id), first), self._recipient_groups, lists)


def email_of(number: int) -> str:
    """Return the e-mail address of a recipient's number."""
    first = field_values.FIRST_NAMES[number % len(field_values.FIRST_NAMES)]
    last = field_values.LAST_NAMES[number // 7 % len(field_values.LAST_NAMES)]
    return f"{first}.{last}{number}@{field_values.MAIL_DOMAINS[number % len(field_values.MAIL_DOMAINS)]}"


class MailIds:
    """The mail ids of one mailing: one group for the mailing, one for the recipient, one for the list."""

    def __init__(self, mailing_group: str, recipient_groups: Permutation, list_groups: list[str]) -> None:
        self._mailing_group = mailing_group
        self._recipients = recipient_groups
        self._list_groups = list_groups

    def mail_id(self, list_number: int, recipient_group: str) -> str:
        """Return the mail id of a list and a recipient's group."""
        return f"{self._mailing_group}-{recipient_group}-{self._list_groups[list_number]}"

    def recipient_group(self, number: int) -> str:
        """Return `base36` of the recipient's permuted number, unrolled for eight digits because every event needs
        it."""
        shuffled = self._recipients
        place = (number * shuffled.factor + shuffled.offset) % shuffled.size
        high, low = place // 36**4, place % 36**4
        return f"{_PAIRS[high // 1296]}{_PAIRS[high % 1296]}{_PAIRS[low // 1296]}{_PAIRS[low % 1296]}"


def base36(number: int, digits: int) -> str:
    """Return the number in A-Z and 0-9, with this many digits."""
    symbols = []
    for _ in range(digits):
        number, symbol = divmod(number, 36)
        symbols.append(_SYMBOLS[symbol])
    return "".join(reversed(symbols))


_MAILBOXES = WeightedChoice((weight, client) for weight, (_, client) in field_values.MAILBOXES)
_OPENERS = WeightedChoice(
    (weight, None if owner == field_values.GOOGLE else client) for weight, (owner, client) in field_values.MAILBOXES
)
_APPLE = WeightedChoice(field_values.APPLE_MAILBOXES)
_SECOND_DEVICES = WeightedChoice(field_values.SECOND_DEVICES)

IMAGE_PROXIES = [Origin(address, field_values.GOOGLE_PROXY) for address in field_values.GOOGLE_PROXY_ADDRESSES]
PRIVACY_PROXIES = [Origin(address, field_values.PRIVACY_PROXY) for address in field_values.PRIVACY_PROXY_ADDRESSES]
SCANNERS = [Origin(address, field_values.SCANNER) for address in field_values.SCANNER_ADDRESSES]


def opener_at_home(person: Words) -> Actor:
    """Return who fetches the images when the recipient opens a mail at home."""
    return Actor.IMAGE_PROXY if _OPENERS.choose(person[MAILBOX]) is None else Actor.PERSON


def opening_origin(person: Words) -> Origin:
    """Return the origin of the recipient's open at home, without a privacy proxy."""
    client = _OPENERS.choose(person[MAILBOX])
    return machine_origin(IMAGE_PROXIES, person) if client is None else Origin(person_address(person[ADDRESS:]), client)


def home_origin(person: Words, *, private: bool) -> Origin:
    """Return the origin of the recipient's other events at home."""
    client = (_APPLE if private else _MAILBOXES).choose(person[MAILBOX])
    return Origin(person_address(person[ADDRESS:]), client)


def machine_origin(machines: list[Origin], person: Words) -> Origin:
    """Return the origin of one of the machines, each of which serves very many people."""
    return machines[person[PROXY] * len(machines) >> 32]


_IPV6 = threshold(field_values.IPV6_SHARE)
_DOCUMENTATION = threshold(field_values.DOCUMENTATION_SHARE)


def _network(address: str, bits: int) -> tuple[int, int]:
    first, second, third, fourth = (int(part) for part in address.split("."))
    return first << 24 | second << 16 | third << 8 | fourth, (1 << 32 - bits) - 1


_DOCUMENTATION_NETWORKS = [_network(*block) for block in field_values.DOCUMENTATION_BLOCKS]
_PROVIDER_NETWORKS = [_network(*block) for block in field_values.PROVIDER_BLOCKS]


def person_address(words: Words) -> str:
    """Return the address of a person's connection, from the first five words."""
    if words[0] < _IPV6:
        block = field_values.PROVIDER_BLOCKS_6[words[1] * len(field_values.PROVIDER_BLOCKS_6) >> 32]
        # No group is zero: the short form of such an address is the only one (RFC 5952).
        return (
            f"{block}:{words[2] >> 16 or 1:x}:{words[2] & 0xFFFF or 1:x}:{words[3] >> 16 or 1:x}:"
            f"{words[3] & 0xFFFF or 1:x}:{words[4] >> 16 or 1:x}:{words[4] & 0xFFFF or 1:x}"
        )
    networks = _DOCUMENTATION_NETWORKS if words[1] < _DOCUMENTATION else _PROVIDER_NETWORKS
    base, mask = networks[words[2] * len(networks) >> 32]
    address = base | words[3] & mask
    last = address & 0xFF
    if last == 0 or last == 255:  # addresses of the network and its broadcast
        address ^= 1 << 1
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"
