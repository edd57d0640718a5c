"""The state of one client: lists, recipients, mails, and what keeps mails from recipients, at any moment."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from heapq import heappop, heappush
from typing import Any, Protocol

import msgspec

from mockcampaign.clients.definitions import (
    DEFAULT_LISTS,
    DEFAULT_MAILS,
    DEFAULT_OPTIN_PROCESSES,
    ClientDefinition,
    ListDefinition,
)
from mockcampaign.clients.kept_table import Key, Row, Table, TableName, Value
from mockcampaign.clients.mail_planner import MailPlanner
from mockcampaign.clients.optin_process import OptinProcess, OptinType
from mockcampaign.clients.recipient_list import EMAIL, Recipient, RecipientList
from mockcampaign.clients.recipient_table import MakeRows, RecipientTable, in_memory
from mockcampaign.clients.sent_mail import MailEvent, SendStatus, SentMail
from mockcampaign.clients.smart_campaign import NOUNS, CampaignKind, CampaignStatus, Message, SmartCampaign
from mockcampaign.clients.suppression import Blocklist, BlocklistEntry, Unsubscribe
from mockcampaign.engine.journal import Entry
from mockcampaign.errors import ConflictError, InvalidInputError, NotFoundError
from mockcampaign.events.behaviour import HARD, SOFT
from mockcampaign.model import EventType
from mockcampaign.policy import Policy, id_beside
from mockcampaign.shape.shape import Shape
from mockcampaign.text import unknown

MAILS_MAX = 50_000
"""Number of mails of a client that are remembered. Ours: older ones are forgotten, but not their effects."""

RECIPIENTS_MAX = 1_000_000
"""Maximum number of recipients of a list. Ours."""

BOUNCED_MAX = 50_000
"""Number of addresses whose bounces are remembered. Ours: the oldest ones are forgotten."""

PERSONS_FROM = 1 << 31
"""Number of the first person. Recipients of generated mailings have lower ones."""


class Outlet(Protocol):
    """The campaign, as far as its clients need it."""

    @property
    def now(self) -> int:
        """Milliseconds since 1970."""

    @property
    def policy(self) -> Policy:
        """The limits of the sender."""

    def shape(self, event_type: EventType) -> Shape:
        """Return the shape of events of a type."""

    def record(self, entry: Entry) -> None:
        """Append an entry to the journal."""

    def let_occur(self, client_id: int, events: list[tuple[int, EventType, bytes]]) -> None:
        """Let events occur at their moments: those of the present at once."""


class Ids:
    """Ids that no two things share, whichever client they belong to."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._taken: set[int] = set()

    @property
    def following(self) -> int:
        """The next new id, unless it is taken."""
        return self._next

    def new(self) -> int:
        """Return an id that nothing has."""
        while self._next in self._taken:
            self._next += 1
        self._taken.add(self._next)
        return self._next

    def take(self, wanted: int) -> int:
        """Return the wanted id. Raises `InvalidInputError` if something has it."""
        if wanted in self._taken:
            raise InvalidInputError(f"id {wanted} is taken, allowed: one of its own for each list, process and mail")
        self._taken.add(wanted)
        return wanted


class CampaignCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of one transactional mail's or smart campaign's mails and events so far."""

    mails: int = 0
    skipped: int = 0
    """Mails that are not sent."""
    events: dict[EventType, int] = {}
    hard_bounces: int = 0
    soft_bounces: int = 0
    unique_opens: int = 0
    """Mails with at least one open."""
    unique_clicks: int = 0

    def count(self, event_type: EventType) -> int:
        """Return the number of events of a type."""
        return self.events.get(event_type, 0)

    def with_event(self, event: MailEvent, *, is_first: bool) -> CampaignCounts:
        """Return the numbers after one more event; `is_first` says whether it is the first of its type and mail."""
        is_bounce = event.type is EventType.BOUNCE
        return CampaignCounts(
            mails=self.mails,
            skipped=self.skipped,
            events={**self.events, event.type: self.count(event.type) + 1},
            hard_bounces=self.hard_bounces + (is_bounce and event.detail == HARD),
            soft_bounces=self.soft_bounces + (is_bounce and event.detail == SOFT),
            unique_opens=self.unique_opens + (is_first and event.type is EventType.OPEN),
            unique_clicks=self.unique_clicks + (is_first and event.type is EventType.CLICK),
        )


class Bounces(msgspec.Struct, frozen=True):
    """Numbers of bounces of one address."""

    hard: int = 0
    soft: int = 0


class Moments(msgspec.Struct, frozen=True):
    """How far a client has come."""

    settled: int = 0
    """The moment by which every event has had its effect, in milliseconds since 1970."""
    number: int = 0
    """Number of the newest mail."""


class ClientStore:
    """The state of one client. `settle` brings it to a moment; everything else is as of the last one."""

    def __init__(
        self,
        client_id: int,
        seed: str,
        start: int,
        ids: Ids,
        definition: ClientDefinition,
        tables: dict[TableName, Table[Any, Any]] | None = None,
        make_rows: MakeRows = in_memory,
    ) -> None:
        """Begin with what every client has, and with what the definition adds. `tables` gets those that change.

        `make_rows` makes the rows of the recipients of each list. Raises `InvalidInputError` for an id that is taken,
        or a name that no list has.
        """
        self._tables = {} if tables is None else tables
        self._make_rows = make_rows
        self.client_id = client_id
        self.ids = ids
        self.planner = MailPlanner(seed, definition.rates)
        self.lists: dict[int, RecipientList] = {}
        self.recipients: dict[int, RecipientTable] = {}
        """Recipients by the id of their list and their own."""
        self.optin_processes: dict[int, OptinProcess] = {}
        self.campaigns: Table[int, SmartCampaign] = self._table("campaigns", int, SmartCampaign)
        """Smart campaigns, transactional and confirmation mails by id, oldest first."""
        self._blocked: Table[str, BlocklistEntry] = self._table("blocklist", str, BlocklistEntry)
        self.blocklist = Blocklist(self._blocked)
        self.unsubscribes: Table[str, Unsubscribe] = self._table("unsubscribes", str, Unsubscribe)
        """Unsubscribes by recipient id. They concern all lists (assumed)."""
        self.mails: Table[str, SentMail] = self._table("mails", str, SentMail)
        """Mails by id, oldest first."""
        self._counts: Table[int, CampaignCounts] = self._table("counts", int, CampaignCounts)
        self._bounces: Table[str, Bounces] = self._table("bounces", str, Bounces)
        self._moments: Table[int, Moments] = self._table("moments", int, Moments)
        self._moments[0] = Moments()
        self._last_mails: dict[str, str] = {}
        self._agenda: list[tuple[int, int, SentMail, MailEvent]] = []
        """Events to come, by their moments and in order of planning."""
        self._planned = 0
        self._start = start
        self._given_ids = 0
        self.other_mailing_id = self._given(None)
        """Mailing of events that belong to none, such as an unsubscribe by a call."""
        self._begin(definition)
        self.campaigns.begin()

    def _table(self, name: str, key: type[Key], value: type[Value]) -> Table[Key, Value]:
        return Table((self.client_id, name), (key, value), self._tables)

    def resume(self, rows: list[Row]) -> None:
        """Take over the changes that an equal store has made since its beginning."""
        tables: list[Table[Any, Any]] = [self.campaigns, self.unsubscribes, self.mails]
        tables += [self._blocked, self._counts, self._bounces, self._moments]
        by_name = {table.name[1]: table for table in tables}
        for _, name, key, value in rows:
            by_name[name].resume(key, value)
        self.blocklist.refresh()
        settled = self._moments[0].settled
        for mail in self.mails.values():
            self._last_mails[mail.facts.recipient_id] = mail.facts.mail_id
            for event in mail.events:
                if event.at > settled:
                    self._plan(mail, event)

    # The beginning

    def _given(self, wanted: int | None) -> int:
        """Return the id of something that exists from the start: the wanted one, or one that is always the same."""
        self._given_ids += 1
        number = wanted
        while number is None:
            try:
                # Beside the ids of the client's users.
                number = self.ids.take(id_beside(self.client_id, 50 + self._given_ids))
            except InvalidInputError:
                self._given_ids += 1
        if wanted is not None:
            self.ids.take(wanted)
        return number

    def _begin(self, definition: ClientDefinition) -> None:
        names: dict[str, int] = {}
        for one in (*DEFAULT_LISTS, *definition.lists):
            names[one.name] = self._add_list(one)
        confirmation = self._add_campaign("Confirmation mail", CampaignKind.CONFIRMATION, tuple(names.values()))
        for process in (*DEFAULT_OPTIN_PROCESSES, *definition.optin_processes):
            number = self._given(process.id)
            self.optin_processes[number] = OptinProcess(
                id=number,
                name=process.name,
                type=process.type,
                confirmation_mailing_id=None
                if process.type is OptinType.SINGLE
                else confirmation.messages[0].mailing_id,
                created=self._start,
                modified=self._start,
            )
        for mail in (*DEFAULT_MAILS, *definition.mails):
            for name in mail.lists:
                if name not in names:
                    raise InvalidInputError(
                        f"transactional mail {mail.name!r}: no recipient list {name!r}, allowed: {', '.join(names)}"
                    )
            self._add_campaign(
                mail.name,
                CampaignKind.EVENT,
                tuple(names[name] for name in mail.lists),
                number=mail.id,
                mailing_id=mail.mailing_id,
                subject=mail.subject,
            )

    def _add_list(self, definition: ListDefinition) -> int:
        number = self._given(definition.id)
        self.lists[number] = RecipientList(
            id=number,
            name=definition.name,
            description=definition.description,
            fields=definition.fields,
            is_test=definition.test,
            is_transactional=definition.transactional,
            created=self._start,
            modified=self._start,
        )
        recipients = self.recipients[number] = RecipientTable(self._make_rows(self.client_id, number))
        recipients.define(
            [
                self.new_recipient(number, one.id, one.address or one.id, one.data, self._start)
                for one in definition.recipients
            ]
        )
        return number

    def _add_campaign(
        self,
        name: str,
        kind: CampaignKind,
        list_ids: tuple[int, ...],
        *,
        number: int | None = None,
        mailing_id: int | None = None,
        subject: str = "",
    ) -> SmartCampaign:
        number, mailing_id = self._given(number), self._given(mailing_id)
        message = Message(
            mailing_id=mailing_id,
            node_id=str(self._given(None)),
            name=name,
            created=self._start,
            modified=self._start,
            subject=subject or name,
            sender_address="sender@example.com",
            sender_name="Sender",
        )
        self.campaigns[number] = SmartCampaign(
            id=number,
            kind=kind,
            name=name,
            status=CampaignStatus.RUNNING,
            created=self._start,
            modified=self._start,
            started=self._start,
            node_id=str(self._given(None)),
            list_ids=list_ids,
            messages=(message,),
        )
        return self.campaigns[number]

    # Reading

    def get_list(self, list_id: int) -> RecipientList:
        """Return a recipient list. Raises `ConflictError`: no such list of this client (documented as 409)."""
        found = self.lists.get(list_id)
        if found is None:
            raise ConflictError(f"recipient list {list_id} is not assigned to client {self.client_id}")
        return found

    def get_recipient(self, list_id: int, recipient_id: str) -> Recipient:
        """Return a recipient who is not pending. Raises as `get_list` does, and `NotFoundError`."""
        self.get_list(list_id)
        found = self.recipients[list_id].get(recipient_id)
        if found is None or found.is_pending:
            raise NotFoundError(f"the recipient does not exist in recipient list {list_id}")
        return found

    def recipients_of(self, list_id: int) -> RecipientTable:
        """Return the recipients of a list. Raises as `get_list` does."""
        self.get_list(list_id)
        return self.recipients[list_id]

    def get_optin_process(self, process_id: int) -> OptinProcess:
        """Return an opt-in process. Raises `ConflictError`: no such process of this client (documented as 409)."""
        found = self.optin_processes.get(process_id)
        if found is None:
            raise ConflictError(f"opt-in process {process_id} is not assigned to client {self.client_id}")
        return found

    def get_campaign(self, campaign_id: int, kind: CampaignKind) -> SmartCampaign:
        """Return a smart campaign of a kind. Raises `NotFoundError`."""
        found = self.campaigns.get(campaign_id)
        if found is None or found.kind is not kind:
            noun = NOUNS[kind]
            raise NotFoundError(f"{noun} {campaign_id} does not exist")
        return found

    def campaigns_of(self, kind: CampaignKind) -> list[SmartCampaign]:
        """Return the smart campaigns of a kind, oldest first."""
        return [campaign for campaign in self.campaigns.values() if campaign.kind is kind]

    def find_transactional_mail(self, wanted: str | int | None = None) -> SmartCampaign:
        """Return a transactional mail by its name or id, or the first one. Raises `InvalidInputError`."""
        mails = self.campaigns_of(CampaignKind.EVENT)
        found = [one for one in mails if wanted is None or wanted in (one.name, one.id)]
        if not found:
            raise InvalidInputError(unknown("transactional mail", str(wanted), [one.name for one in mails]))
        return found[0]

    def find_list(self, wanted: str | int | None = None) -> RecipientList:
        """Return a recipient list by its name or id, or the first one. Raises `InvalidInputError`."""
        found = [one for one in self.lists.values() if wanted is None or wanted in (one.name, one.id)]
        if not found:
            names = [one.name for one in self.lists.values()]
            raise InvalidInputError(unknown("recipient list", str(wanted), names))
        return found[0]

    def has_mailing(self, mailing_id: int) -> bool:
        """Return whether any smart campaign has this mailing."""
        return any(
            message.mailing_id == mailing_id for campaign in self.campaigns.values() for message in campaign.messages
        )

    def counts(self, campaign_id: int) -> CampaignCounts:
        """Return the numbers of a smart campaign so far."""
        return self._counts.get(campaign_id) or CampaignCounts()

    def bounces(self, address: str) -> tuple[int, int]:
        """Return the numbers of hard and soft bounces of an address."""
        found = self._bounces.get(address.lower(), Bounces())
        return found.hard, found.soft

    def obstacle(self, recipient_id: str, address: str, policy: Policy) -> SendStatus | None:
        """Return why a recipient gets no mail, or None."""
        if self.blocklist.match(address) or self.blocklist.match(recipient_id):
            return SendStatus.BLACKLISTED
        if recipient_id in self.unsubscribes:
            return SendStatus.UNSUBSCRIBED
        hard, soft = self.bounces(address)
        if hard >= policy.hard_bounces_max or soft >= policy.soft_bounces_max:
            return SendStatus.TOO_MANY_BOUNCES
        return None

    def last_mail(self, recipient_id: str) -> SentMail | None:
        """Return the newest mail to a recipient, or None."""
        return self.mails.get(self._last_mails.get(recipient_id, ""))

    def address_of(self, recipient_id: str) -> str:
        """Return the address of a recipient of any list, or the id if there is none."""
        found = (one.get(recipient_id) for one in self.recipients.values())
        return next((one.address for one in found if one is not None), recipient_id)

    # Writing

    def next_number(self) -> int:
        """Return the number of a new mail."""
        moments = self._moments[0]
        self._moments[0] = Moments(moments.settled, moments.number + 1)
        return moments.number + 1

    def person_of(self, recipient_id: str) -> int:
        """Return the number by which the model knows a recipient: the same whenever somebody asks."""
        digest = blake2b(recipient_id.encode(errors="surrogatepass"), digest_size=4).digest()
        return PERSONS_FROM + int.from_bytes(digest, "little")

    def put_recipient(self, list_id: int, recipient: Recipient) -> None:
        """Add or replace a recipient of a list. Of more than `RECIPIENTS_MAX`, the oldest one is forgotten."""
        recipients = self.recipients[list_id]
        recipients[recipient.id] = recipient
        if len(recipients) > RECIPIENTS_MAX:
            recipients.forget_oldest()

    def new_recipient(
        self, list_id: int, recipient_id: str, address: str, data: Mapping[str, str], now: int
    ) -> Recipient:
        """Return a recipient who is not yet in the list. Raises `WrongFieldsError` if it has not all required fields.

        That the address and the id stand for the fields that they are values of is assumed.
        """
        found = self.lists[list_id]
        complete = {found.id_field: recipient_id, EMAIL: address, **data}
        found.check_required(complete)
        return Recipient(
            id=recipient_id,
            address=address,
            data=complete,
            person=self.person_of(recipient_id),
            created=now,
            modified=now,
        )

    def keep_mail(self, mail: SentMail) -> None:
        """Remember a new mail, and what its events will change."""
        self.mails[mail.facts.mail_id] = mail
        self._last_mails[mail.facts.recipient_id] = mail.facts.mail_id
        if len(self.mails) > MAILS_MAX:
            forgotten = next(iter(self.mails))
            old = self.mails.pop(forgotten)
            if self._last_mails.get(old.facts.recipient_id) == forgotten:
                del self._last_mails[old.facts.recipient_id]
        if mail.campaign_id is not None:
            counts = self.counts(mail.campaign_id)
            skipped = counts.skipped + (mail.result is not SendStatus.SENT)
            self._counts[mail.campaign_id] = msgspec.structs.replace(counts, mails=counts.mails + 1, skipped=skipped)
        for event in mail.events:
            self._plan(mail, event)

    def add_event(self, mail: SentMail, event: MailEvent) -> SentMail:
        """Add an event to a mail."""
        mail = self.mails[mail.facts.mail_id] = mail.with_event(event)
        self._plan(mail, event)
        return mail

    def reset_bounces(self, address: str) -> int:
        """Forget the bounces of an address; returns how many there were."""
        found: Bounces = self._bounces.pop(address.lower(), Bounces())
        return found.hard + found.soft

    def _plan(self, mail: SentMail, event: MailEvent) -> None:
        self._planned += 1
        heappush(self._agenda, (event.at, self._planned, mail, event))

    # Time

    def settle(self, now: int) -> None:
        """Let every event that has occurred by now have its effect."""
        if not self._agenda or self._agenda[0][0] > now:
            return
        while self._agenda and self._agenda[0][0] <= now:
            _, _, mail, event = heappop(self._agenda)
            if mail.campaign_id is not None:
                newest = self.mails.get(mail.facts.mail_id, mail)
                is_first = newest.first_of(event.type) is event
                self._counts[mail.campaign_id] = self.counts(mail.campaign_id).with_event(event, is_first=is_first)
            self._take_effect(mail, event)
        self._moments[0] = Moments(now, self._moments[0].number)

    def _take_effect(self, mail: SentMail, event: MailEvent) -> None:
        facts = mail.facts
        match event.type:
            case EventType.BOUNCE:
                hard, soft = self.bounces(facts.address)
                bounces = Bounces(hard + (event.detail == HARD), soft + (event.detail == SOFT))
                self._bounces[facts.address.lower()] = bounces
                if len(self._bounces) > BOUNCED_MAX:
                    del self._bounces[next(iter(self._bounces))]
            case EventType.UNSUBSCRIBE if facts.recipient_id not in self.unsubscribes:
                self.unsubscribes[facts.recipient_id] = Unsubscribe(
                    recipient_id=facts.recipient_id,
                    list_id=facts.list_id,
                    mailing_id=facts.mailing_id,
                    reason="the recipient unsubscribed",
                    created=event.at,
                )
            case EventType.BLOCKLIST if self.blocklist.get(facts.address) is None:
                self.blocklist.put(
                    BlocklistEntry(pattern=facts.address, reason="spam complaint", created=event.at, modified=event.at)
                )
            case EventType.DOUBLEOPTIN:
                self._confirm(facts.list_id, facts.recipient_id, event.at)
            case _:
                pass

    def _confirm(self, list_id: int, recipient_id: str, now: int) -> None:
        recipients = self.recipients.get(list_id)
        found = None if recipients is None else recipients.get(recipient_id)
        if recipients is not None and found is not None:
            recipients[recipient_id] = msgspec.structs.replace(found, is_pending=False, modified=now)


def check_definition(client_id: int, definition: ClientDefinition) -> None:
    """Raise `InvalidInputError` if a client cannot begin with what the definition says."""
    ClientStore(client_id, "", 0, Ids(1), definition)
