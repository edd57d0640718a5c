"""Commands on what keeps mails from recipients: unsubscribes, the blocklist and bounces."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mockcampaign.clients.recipient_commands import ClientCommands
from mockcampaign.clients.sent_mail import MailEvent, SentMail
from mockcampaign.clients.suppression import BlocklistEntry, Unsubscribe
from mockcampaign.errors import NotFoundError, RejectedError
from mockcampaign.model import EventType

ENTRIES_MAX = 200_000
"""Maximum number of blocklist entries and of unsubscribes of a client. Ours."""


class SuppressionCommands(ClientCommands):
    """Unsubscribe and block recipients, and take both back."""

    __slots__ = ()

    def unsubscribe(
        self, recipient_ids: Sequence[str] = (), mail_ids: Sequence[str] = (), *, list_id: int | None = None
    ) -> tuple[list[str], list[str]]:
        """Unsubscribe recipients, named by themselves or by a mail; returns the ids that succeeded and that did not.

        An unsubscribe of somebody who has unsubscribed, or of an unknown mail, does not succeed (assumed).
        """
        succeeded: list[str] = []
        failed: list[str] = []
        store = self._store
        for recipient_id in dict.fromkeys(recipient_ids):
            mail = store.last_mail(recipient_id)
            done = self._unsubscribe(recipient_id, mail, list_id)
            (succeeded if done else failed).append(recipient_id)
        for mail_id in dict.fromkeys(mail_ids):
            mail = store.mails.get(mail_id)
            done = mail is not None and self._unsubscribe(mail.facts.recipient_id, mail, list_id)
            (succeeded if done else failed).append(mail_id)
        if succeeded:
            self._note("unsubscribe", "add", list_id or 0, len(succeeded))
        return succeeded, failed

    def remove_unsubscribes(self, recipient_ids: Sequence[str]) -> None:
        """Take unsubscribes back. Raises `NotFoundError`, before anything changes, if somebody has not unsubscribed."""
        unsubscribes = self._store.unsubscribes
        if any(recipient_id not in unsubscribes for recipient_id in recipient_ids):
            raise NotFoundError("a recipient has not unsubscribed")
        for recipient_id in dict.fromkeys(recipient_ids):
            del unsubscribes[recipient_id]
        self._note("unsubscribe", "remove", count=len(recipient_ids))

    def block(self, pattern: str, reason: str = "") -> BlocklistEntry:
        """Add a blocklist entry, or replace its reason. Raises `RejectedError` at the limit."""
        store, now = self._store, self.now
        known = store.blocklist.get(pattern)
        if known is not None:
            entry = msgspec.structs.replace(known, reason=reason, modified=now)
            store.blocklist.put(entry)
            return entry
        if len(store.blocklist) >= ENTRIES_MAX:
            raise RejectedError(f"the blocklist has {ENTRIES_MAX:,} entries, which is the limit")
        entry = BlocklistEntry(pattern=pattern, reason=reason, created=now, modified=now)
        store.blocklist.put(entry)
        self._note("blocklist-entry", "add")
        # The event of an entry by a call looks like that of a complaint, as nobody shows one (assumed).
        mail = self._mail_of_event(store.last_mail(pattern), pattern)
        self._add_event(mail, MailEvent(at=now, type=EventType.BLOCKLIST))
        return entry

    def unblock(self, pattern: str) -> None:
        """Remove a blocklist entry. Raises `NotFoundError`."""
        if not self._store.blocklist.remove(pattern):
            raise NotFoundError("the blocklist entry does not exist")
        self._note("blocklist-entry", "remove")

    def reset_bounces(self, recipient_id: str) -> None:
        """Forget the bounces of a recipient's address."""
        count = self._store.reset_bounces(self._store.address_of(recipient_id))
        self._note("bounces", "remove", count=count)

    def _unsubscribe(self, recipient_id: str, mail: SentMail | None, list_id: int | None) -> bool:
        store, now = self._store, self.now
        if recipient_id in store.unsubscribes or len(store.unsubscribes) >= ENTRIES_MAX:
            return False
        store.unsubscribes[recipient_id] = Unsubscribe(
            recipient_id=recipient_id,
            list_id=list_id if list_id is not None or mail is None else mail.facts.list_id,
            mailing_id=None if mail is None else mail.facts.mailing_id,
            reason="unsubscribed by a call",
            created=now,
        )
        about = self._mail_of_event(mail, recipient_id)
        self._add_event(about, MailEvent(at=now, type=EventType.UNSUBSCRIBE))
        return True

    def _mail_of_event(self, mail: SentMail | None, recipient_id: str) -> SentMail:
        """Return the mail that an event names: another one if there is none, or if it is still on its way.

        A mail has no event before it is sent.
        """
        store = self._store
        if mail is not None and mail.sent_at <= self.now:
            return mail
        list_id = next(
            (number for number, recipients in store.recipients.items() if recipient_id in recipients),
            next(iter(store.lists)),
        )
        mail = self._stand_in(store.other_mailing_id, list_id, recipient_id, store.address_of(recipient_id))
        store.keep_mail(mail)
        return mail
