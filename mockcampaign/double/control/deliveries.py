"""A test's view of its campaign's journal: events and attempts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import msgspec

from mockcampaign.double.arguments import check_each
from mockcampaign.engine.journal import Attempted, Entry, Journal, serials_in
from mockcampaign.errors import CouldNotTellError, MisuseError
from mockcampaign.judging.ledger import Ledger
from mockcampaign.model import Outcome, Responded, Webhook
from mockcampaign.text import unknown

Event = dict[str, Any]


class Events(list[Event]):
    """Events as a consumer receives them, in order. Called with webhooks, it returns the events of these alone."""

    def __init__(self, of: Callable[[tuple[int, ...]], list[Event]], webhook_ids: tuple[int, ...]) -> None:
        super().__init__(of(webhook_ids))
        self._of = of
        self.is_explained = False
        """Whether the difference to another list has been explained already. Iterating then fails on purpose: pytest
        would otherwise compare long lists line by line if CI is set, which takes minutes."""

    def __iter__(self) -> Iterator[Event]:
        if self.is_explained:
            raise TypeError("the difference to this list has been explained already")
        return super().__iter__()

    def __call__(self, *webhooks: Webhook) -> Events:
        check_each("delivered", "webhooks", webhooks)
        return Events(self._of, tuple(webhook.id for webhook in webhooks))


class ApiRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the REST API by the code under test. It shows no credentials, and no values but ids."""

    at: datetime
    """When the server responded, in virtual time."""
    operation: str
    """Name of the operation, such as `createWebhook`; empty if the path or method belongs to none."""
    method: str
    path: str
    """Path after the client's id, such as `/webhooks/2147483648/activate`."""
    ids: Mapping[str, int]
    """Ids in the path, by name, such as `webhookId`."""
    client_id: int | None
    """Client that the path names; None if it names none."""
    status: int | None
    """Status of the response; None if the caller got no complete response."""
    faults: tuple[str, ...]
    """Kinds of the injected faults that hit the call."""


class ApiRequests(list[ApiRequest]):
    """Calls in order. Called with names of operations, it returns the calls of these alone."""

    def __init__(self, requests: Iterable[ApiRequest] = (), operations: Collection[str] = ()) -> None:
        """Hold calls. `operations` are all that the API has, if they are known."""
        super().__init__(requests)
        self._operations = operations

    def __call__(self, *operations: str) -> ApiRequests:
        """Return the calls of these operations. Raises `MisuseError` for one that does not exist."""
        check_each("requests", "operations", operations)
        for name in operations:
            # A call of none is named by method and path, such as `GET /imports/…`.
            if self._operations and name not in self._operations and " /" not in name:
                raise MisuseError(f"requests: {unknown('operation', name, self._operations)}")
        return ApiRequests((request for request in self if request.operation in operations), self._operations)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to deliver one batch."""

    webhook: Webhook
    number: int
    """Number of the attempt for its batch, from 1."""
    at: datetime
    """When the attempt began, in virtual time."""
    took: timedelta
    """Duration of the attempt, in virtual time."""
    events: Sequence[Event]
    outcome: Outcome
    faults: tuple[str, ...]
    """Kinds of the injected faults and outages that hit the attempt."""
    simulated: bool
    """Whether the attempt was counted, not sent, after equal failures of the same batch (`Policy.simulate_after`)."""

    @property
    def accepted(self) -> bool:
        """Whether the consumer responded 200."""
        return self.outcome.accepted

    @property
    def status(self) -> int | None:
        """Status of the consumer's response, or None without a complete response."""
        return self.outcome.status if isinstance(self.outcome, Responded) else None

    def __repr__(self) -> str:
        count = len(self.events)
        return (
            f"<Delivery of {count} {self.webhook.type} event{'' if count == 1 else 's'}, attempt {self.number}: "
            f"{self.outcome.describe()}{', simulated' if self.simulated else ''}>"
        )


class Deliveries(list[Delivery]):
    """Attempts in order. Called with webhooks, it returns the attempts of these alone."""

    def __call__(self, *webhooks: Webhook) -> Deliveries:
        check_each("deliveries", "webhooks", webhooks)
        wanted = {webhook.id for webhook in webhooks}
        return Deliveries(delivery for delivery in self if delivery.webhook.id in wanted)


class _LazyEvents(Sequence[Event]):
    """Events that are decoded when somebody looks at them: three days of an outage are 25,920 attempts."""

    def __init__(self, ledger: Ledger, entry: Attempted) -> None:
        self._ledger = ledger
        self._entry = entry

    def __len__(self) -> int:
        return self._entry.events

    def __getitem__(self, index: Any) -> Any:
        return self._decode()[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._decode() == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._decode())

    def _decode(self) -> list[Event]:
        return _decode(self._ledger, serials_of(self._entry))


class JournalView:
    """Events and attempts of a journal that is still being written."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._following: Ledger | None = None

    @property
    def ledger(self) -> Ledger:
        """The ledger of the journal, which it follows from the first look on.

        Raises `CouldNotTellError` if a server has dropped the oldest entries: the rest would be half the truth.
        """
        if self._journal.dropped:
            raise CouldNotTellError(
                f"the server has dropped the oldest {self._journal.dropped} entries of this test's journal, so the "
                "deliveries are incomplete: emit fewer events, or use the `campaign` fixture, which keeps everything"
            )
        if self._following is None:
            self._following = Ledger.following(self._journal)
        return self._following

    @property
    def webhook_ids(self) -> list[int]:
        """Ids of all webhooks, deleted ones included, in order of creation."""
        return [account.webhook_id for account in self.ledger.accounts.values() if account.status is not None]

    @property
    def delivered(self) -> Events:
        """Events that the consumer has accepted, in order of delivery, once for each webhook that delivered them."""
        return self._events(Ledger.delivered)

    @property
    def discarded(self) -> Events:
        """Events that will not be delivered any more."""
        return self._events(_discarded)

    @property
    def pending(self) -> Events:
        """Events that are neither delivered nor discarded."""
        return self._events(_pending)

    def deliveries(self, webhook: Callable[[int], Webhook]) -> Deliveries:
        """Return all attempts in order; `webhook` returns the webhook of an id."""
        ledger = self.ledger
        found = Deliveries()
        by_webhook = [account.entries for account in ledger.accounts.values()]
        for _, entry in merge(*by_webhook, key=itemgetter(0)):
            events, took = _LazyEvents(ledger, entry), timedelta(milliseconds=entry.took)
            of = webhook(entry.webhook_id)
            found += [
                Delivery(
                    webhook=of,
                    number=number,
                    at=to_datetime(at),
                    took=took,
                    events=events,
                    outcome=entry.outcome,
                    faults=entry.faults,
                    simulated=entry.simulated,
                )
                for number, at in entry.starts()
            ]
        return found

    @property
    def requests(self) -> ApiRequests:
        """All calls of the REST API, in order."""
        return ApiRequests(
            ApiRequest(
                at=to_datetime(entry.at),
                operation=entry.operation,
                method=entry.method,
                path=entry.shown_path,
                ids=MappingProxyType(entry.ids),
                client_id=entry.client_id,
                status=entry.status,
                faults=entry.faults,
            )
            for _, entry in self.ledger.calls
        )

    def payload(self, serial: int) -> msgspec.Raw:
        """Return the encoded event with this serial number in the journal. Raises `MisuseError` if there is none."""
        try:
            return self.ledger.payload(serial)
        except KeyError:
            happened = self.ledger.happened
            last = happened[-1].first_serial + len(happened[-1].events) - 1 if happened else 0
            allowed = f"{happened[0].first_serial} to {last}" if happened else "none, since no event has occurred"
            raise MisuseError(f"payload: no event has the serial {serial}, allowed: {allowed}") from None

    def _events(self, serials: Callable[[Ledger, tuple[int, ...]], Iterable[int]]) -> Events:
        def of(webhook_ids: tuple[int, ...]) -> list[Event]:
            return _decode(self.ledger, serials(self.ledger, webhook_ids))

        return Events(of, tuple(self.webhook_ids))


def _discarded(ledger: Ledger, webhook_ids: tuple[int, ...]) -> Iterator[int]:
    for webhook_id in webhook_ids:
        yield from ledger.account(webhook_id).discarded


def _pending(ledger: Ledger, webhook_ids: tuple[int, ...]) -> Iterator[int]:
    for webhook_id in webhook_ids:
        yield from ledger.account(webhook_id).pending


def _decode(ledger: Ledger, serials: Iterable[int]) -> list[Event]:
    return [msgspec.json.decode(ledger.payload(serial)) for serial in serials]


def serials_of(entry: Attempted) -> list[int]:
    """Return the serial numbers of the events in a batch, in its order."""
    return [*serials_in(entry.serials), *serials_in(entry.redelivered)]


def to_datetime(milliseconds: int) -> datetime:
    """Return the moment in UTC, to the millisecond."""
    return datetime.fromtimestamp(milliseconds // 1_000, UTC) + timedelta(milliseconds=milliseconds % 1_000)


def last_exchange(entries: Sequence[Entry]) -> Attempted | None:
    """Return the newest attempt that the consumer responded to, or else the newest one."""
    attempts = [entry for entry in entries if isinstance(entry, Attempted)]
    responses = [entry for entry in attempts if isinstance(entry.outcome, Responded)]
    return next(iter(reversed(responses or attempts)), None)
