"""Commands on the recipients of a client's lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from mockcampaign.clients.client_store import RECIPIENTS_MAX, ClientStore, Outlet
from mockcampaign.clients.mail_planner import CONFIRM, prefix_of
from mockcampaign.clients.optin_process import EVENT_OF, OptinProcess, OptinType
from mockcampaign.clients.recipient_list import EMAIL, AttributeMode, Recipient, changed
from mockcampaign.clients.sent_mail import MailEvent, SendStatus, SentMail
from mockcampaign.engine.journal import ClientChanged
from mockcampaign.errors import ConflictError, InvalidInputError, NotFoundError, RejectedError
from mockcampaign.events.mail_events import MailFacts
from mockcampaign.model import EventType
from mockcampaign.policy import MINUTE

CONFIRM_AFTER = 10 * MINUTE
"""Time until an address that confirms by itself confirms its opt-in. Ours."""


class NewRecipient(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient to add. Its text form shows nobody."""

    id: str
    address: str | None = None
    data: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return "NewRecipient(…)"

    def found_address(self) -> str:
        """Return the address: as given, or an attribute, or the id if that is one. Raises `InvalidInputError`."""
        found = self.address or self.data.get(EMAIL) or (self.id if "@" in self.id else "")
        if not found:
            raise InvalidInputError("address: missing, allowed: the recipient's address, unless the id is one")
        return found


class ClientCommands:
    """Base of all groups of commands: the store, brought to the present, and the campaign."""

    _store: ClientStore
    _outlet: Outlet
    __slots__: ClassVar[tuple[str, ...]] = ()

    @property
    def now(self) -> int:
        """The present moment: milliseconds since 1970."""
        return self._outlet.now

    def _note(self, what: str, command: str, number: int = 0, count: int = 1) -> None:
        self._outlet.record(
            ClientChanged(
                at=self.now, client_id=self._store.client_id, what=what, command=command, id=number, count=count
            )
        )

    def _let_occur(self, mail: SentMail, events: Sequence[MailEvent]) -> None:
        payload, shape = self._store.planner.payload, self._outlet.shape
        self._outlet.let_occur(
            self._store.client_id,
            [(event.at, event.type, payload(shape(event.type), mail.facts, event)) for event in events],
        )

    def _stand_in(self, mailing_id: int, list_id: int, recipient_id: str, address: str) -> SentMail:
        """Return a mail that is not sent, but that other events of a recipient belong to."""
        store, now = self._store, self.now
        facts = MailFacts(
            client_id=store.client_id,
            mailing_id=mailing_id,
            list_id=list_id,
            mail_id=store.planner.mail_id(mailing_id, list_id, store.next_number()),
            recipient_id=recipient_id,
            address=address,
            person=store.person_of(recipient_id),
        )
        return SentMail(facts=facts, campaign_id=None, accepted_at=now, sent_at=now, result=SendStatus.SENT)

    def _add_event(self, mail: SentMail, event: MailEvent) -> None:
        """Let one more event of a mail occur, now or later."""
        self._store.add_event(mail, event)
        self._let_occur(mail, [event])
        self._store.settle(self.now)


class RecipientCommands(ClientCommands):
    """Add, change and remove recipients."""

    __slots__ = ()

    def add_recipient(
        self,
        list_id: int,
        recipient_id: str,
        *,
        address: str | None = None,
        data: Mapping[str, str] = {},
        optin_process_id: int | None = None,
    ) -> Recipient:
        """Add a recipient, who takes part in an opt-in process if there is one.

        Raises `ConflictError` if the recipient exists or must not get mails, and `InvalidInputError` for a missing
        address, a missing required field or an unknown process.
        """
        store = self._store
        store.get_list(list_id)
        if optin_process_id is not None and optin_process_id not in store.optin_processes:
            raise InvalidInputError(f"opt-in process: client {store.client_id} has no opt-in process of this id")
        process = None if optin_process_id is None else store.optin_processes[optin_process_id]
        added = self._add(list_id, NewRecipient(id=recipient_id, address=address, data=data), process)
        self._note("recipient", "add", list_id)
        return added

    def add_recipients(
        self, list_id: int, recipients: Sequence[NewRecipient], *, optin_process_id: int | None = None
    ) -> tuple[int, list[str]]:
        """Add several recipients; returns how many were added, and the ids of the others.

        Raises `ConflictError` for an unknown list or process.
        """
        store = self._store
        store.get_list(list_id)
        process = None if optin_process_id is None else store.get_optin_process(optin_process_id)
        failed = []
        for one in recipients:
            try:
                self._add(list_id, one, process)
            except (InvalidInputError, RejectedError):
                failed.append(one.id)
        self._note("recipient", "add", list_id, len(recipients) - len(failed))
        return len(recipients) - len(failed), failed

    def change_recipient(
        self, list_id: int, recipient_id: str, data: Mapping[str, str], mode: AttributeMode = AttributeMode.SET
    ) -> Recipient:
        """Change attributes of a recipient.

        Raises `NotFoundError` or `ConflictError`, and `InvalidInputError` if a required field would be empty.
        """
        recipient = changed(self._store.get_recipient(list_id, recipient_id), data, mode, self.now)
        self._store.get_list(list_id).check_required(recipient.data, data)
        self._store.recipients[list_id][recipient_id] = recipient
        self._note("recipient", "change", list_id)
        return recipient

    def remove_recipient(self, list_id: int, recipient_id: str) -> None:
        """Remove a recipient from a list. Raises `NotFoundError` or `ConflictError`."""
        self._store.get_recipient(list_id, recipient_id)
        del self._store.recipients[list_id][recipient_id]
        self._note("recipient", "remove", list_id)

    def _add(self, list_id: int, new: NewRecipient, process: OptinProcess | None) -> Recipient:
        store, now = self._store, self.now
        if new.id in store.recipients[list_id]:
            raise ConflictError(f"the recipient exists already in recipient list {list_id}")
        if not new.id:
            raise InvalidInputError("id: empty, allowed: text")
        address = new.found_address()
        recipient = store.new_recipient(list_id, new.id, address, new.data, now)
        obstacle = store.obstacle(new.id, address, self._outlet.policy)
        if obstacle is not None:
            raise ConflictError(f"the recipient gets no mail: {obstacle.value}")
        self._check_room(list_id)
        if process is None:
            store.recipients[list_id][new.id] = recipient
            return recipient
        mail = self._stand_in(process.confirmation_mailing_id or process.id, list_id, new.id, address)
        is_double = process.type is OptinType.DOUBLE
        recipient = store.recipients[list_id][new.id] = msgspec.structs.replace(
            recipient, optin_mail_id=mail.facts.mail_id, is_pending=is_double
        )
        store.keep_mail(mail)
        if not is_double or prefix_of(address) == CONFIRM:
            self._add_event(mail, MailEvent(at=now + CONFIRM_AFTER * is_double, type=EVENT_OF[process.type]))
        return recipient

    def _check_room(self, list_id: int) -> None:
        if len(self._store.recipients[list_id]) >= RECIPIENTS_MAX:
            raise ConflictError(f"recipient list {list_id} has {RECIPIENTS_MAX:,} recipients, which is the limit")

    def confirm_optin(self, recipient_id: str, *, list_id: int | None = None) -> None:
        """Let a recipient confirm a double opt-in. Raises `NotFoundError` if none is pending."""
        for number, recipients in self._store.recipients.items():
            found = recipients.get(recipient_id)
            if found is not None and found.is_pending and list_id in (None, number):
                mail = self._store.mails.get(found.optin_mail_id)
                if mail is not None:
                    self._add_event(mail, MailEvent(at=self.now, type=EventType.DOUBLEOPTIN))
                    return
        raise NotFoundError("no double opt-in of the recipient is pending")
