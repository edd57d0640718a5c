"""Events from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from mockcampaign.events import values
from mockcampaign.events.sample import Sample
from mockcampaign.model import EventType

_SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_encode = msgspec.json.Encoder().encode


class Mailing(msgspec.Struct, frozen=True):
    """What all mails of one sending share."""

    mailing_id: int
    user_list_id: int
    mail_id_group: str


class Mail(msgspec.Struct, frozen=True):
    """One mail: who got it, and where it was acted on so far."""

    recipient_id: str
    subscription_id: int
    mail_id: str
    addresses: set[str]


class Generator:
    """Makes a client's events. No two of one generator are equal in all fields."""

    def __init__(self, source: random.Random, client_id: int) -> None:
        self._random = source
        self._client_id = client_id
        self._recipients = 0
        self._client_weights = [weight for weight, _ in values.CLIENTS]
        self._clients = [client for _, client in values.CLIENTS]
        self._recipient_base = source.randint(10**11, 9 * 10**11)
        # Multiplying by a number prime to the modulus visits every value once: mail ids never collide.
        self._mail_factor = source.randrange(1, 36**8, 6) | 1
        while self._mail_factor % 3 == 0:
            self._mail_factor += 2

    def payloads(self, event_type: EventType, created: Sequence[int], *, mailing_id: int | None = None) -> list[bytes]:
        """One event for each moment (milliseconds since 1970), all of one mailing: a new one unless it is named."""
        drawn = self._random.randint(*values.ID_RANGE)
        mailing = Mailing(
            drawn if mailing_id is None else mailing_id, self._random.randint(*values.ID_RANGE), self._symbols(8)
        )
        fields = values.FIELDS[event_type]
        mails: list[Mail] = []
        payloads = []
        for moment, client in zip(created, self._draw_clients(len(created)), strict=True):
            mail = self._mail(event_type, mailing, mails)
            known = self._known_values(event_type, mailing, mail, moment, client)
            payloads.append(_encode({name: known[name]() for name in fields}))
        return payloads

    def payloads_like(self, sample: Sample, created: Sequence[int]) -> list[bytes]:
        """One event for each moment, of the sample's shape: its fields, in its order and formats."""
        return [_encode(event) for event in sample.more(self._random, created)]

    def _mail(self, event_type: EventType, mailing: Mailing, mails: list[Mail]) -> Mail:
        """Mostly a mail that was not acted on before, where that is possible at all."""
        if mails and event_type in values.REPEATABLE and self._random.randrange(values.REPEAT_SHARE) == 0:
            return self._random.choice(mails)
        self._recipients += 1
        number = self._recipients
        mail = Mail(
            str(self._recipient_base + number),
            self._random.randint(*values.SUBSCRIPTION_ID_RANGE),
            f"{mailing.mail_id_group}-{_base36(number * self._mail_factor % 36**8, 8)}-{self._symbols(6)}",
            set(),
        )
        mails.append(mail)
        return mail

    def _known_values(
        self, event_type: EventType, mailing: Mailing, mail: Mail, moment: int, client: tuple[str, str, str]
    ) -> dict[str, Callable[[], Any]]:
        link = self._random.randrange(len(values.LINKS)) if event_type is EventType.CLICK else 0
        return {
            "type": lambda: event_type.value,
            "recipientId": lambda: mail.recipient_id,
            "userListId": lambda: mailing.user_list_id,
            "remoteAddress": lambda: self._new_address(mail),
            "clientId": lambda: self._client_id,
            "mailingId": lambda: mailing.mailing_id,
            "created": lambda: moment,
            "subscriptionId": lambda: mail.subscription_id,
            "mailId": lambda: mail.mail_id,
            "device": lambda: client[0],
            "operatingSystem": lambda: client[1],
            "browser": lambda: client[2],
            "linkId": lambda: mailing.mailing_id + link + 1,
            "linkUrl": lambda: f"https://www.example.com{values.LINKS[link]}",
            "bounceType": lambda: self._random.choice(("hardbounce", "softbounce")),
        }

    def _draw_clients(self, count: int) -> list[tuple[str, str, str]]:
        return self._random.choices(self._clients, self._client_weights, k=count)

    def _new_address(self, mail: Mail) -> str:
        """One that the mail was not acted on from before: so two acts differ, even within one millisecond."""
        while True:
            if self._random.randrange(4) == 0:
                block, low, high = self._random.choice(values.ADDRESS_BLOCKS)
                address = f"{block}{self._random.randint(low, high)}"
            else:
                bits = self._random.getrandbits(17)
                address = f"198.{18 + (bits >> 16)}.{bits >> 8 & 255}.{bits & 255}"
            if address not in mail.addresses:
                mail.addresses.add(address)
                return address

    def _symbols(self, count: int) -> str:
        return "".join(self._random.choices(_SYMBOLS, k=count))


def moments(source: random.Random, count: int, start: int, over: int) -> list[int]:
    """When `count` events happen: sorted milliseconds from `start` to `start + over`."""
    return sorted(_moments(source, count, start, over)) if over else [start] * count


def _moments(source: random.Random, count: int, start: int, over: int) -> Iterator[int]:
    for _ in range(count):
        yield start + source.randint(0, over)


def _base36(number: int, digits: int) -> str:
    symbols = []
    for _ in range(digits):
        number, index = divmod(number, 36)
        symbols.append(_SYMBOLS[index])
    return "".join(symbols)
