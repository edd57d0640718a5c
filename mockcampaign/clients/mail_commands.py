"""Commands that send single mails, and that make their recipients act."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mockcampaign.clients.recipient_commands import ClientCommands
from mockcampaign.clients.recipient_list import EMAIL, AttributeMode, changed
from mockcampaign.clients.sent_mail import MailEvent, SendStatus, SentMail
from mockcampaign.clients.smart_campaign import CampaignKind, CampaignStatus, SmartCampaign
from mockcampaign.engine.journal import MailSent
from mockcampaign.errors import ConflictError, InvalidInputError, NotFoundError
from mockcampaign.events import field_values
from mockcampaign.events.mail_events import MailFacts
from mockcampaign.model import EventType
from mockcampaign.shape.builtin import BOUNCE_CATEGORIES

ACTS = (
    EventType.OPEN,
    EventType.CLICK,
    EventType.UNSUBSCRIBE,
    EventType.SPAMCOMPLAINT,
    EventType.BOUNCE,
    EventType.DOUBLEOPTIN,
)
"""Events that a recipient, or its mailbox, can be made to cause. A double opt-in is confirmed in its own mail."""

MAILING_RECIPIENTS_MAX = 50_000
"""Maximum number of recipients of a smart campaign that starts. Ours: its mails are planned within seconds."""


def possible_acts(mail: SentMail) -> tuple[EventType, ...]:
    """Return what the recipient of a mail can do: nothing if the mail is not sent."""
    if mail.result is not SendStatus.SENT:
        return ()
    return tuple(act for act in ACTS if (act is EventType.DOUBLEOPTIN) is mail.is_optin)


class MailCommands(ClientCommands):
    """Send mails, and let recipients act."""

    __slots__ = ()

    def get_mail(self, mail_id: str) -> SentMail:
        """Return a mail as it is now. Raises `NotFoundError`."""
        found = self._store.mails.get(mail_id)
        if found is None:
            raise NotFoundError("the client has no mail of this id, or has forgotten it")
        return found

    def mails(self, recipient_id: str | None = None) -> list[SentMail]:
        """Return the mails that calls have sent, to one recipient or to all, oldest first."""
        return [
            mail
            for mail in self._store.mails.values()
            if mail.campaign_id is not None and recipient_id in (None, mail.facts.recipient_id)
        ]

    def send(
        self, transactional_mail_id: int, list_id: int, recipient_id: str, *, data: Mapping[str, str] = {}
    ) -> SentMail:
        """Send a transactional mail to a recipient, who is added to the list.

        Raises `NotFoundError` for an unknown mail, and `InvalidInputError` if it is not assigned to the list or the
        recipient lacks a required field of it (assumed: the vendor's description names only the call's own fields).
        """
        store, now = self._store, self.now
        campaign = store.get_campaign(transactional_mail_id, CampaignKind.EVENT)
        if list_id not in campaign.list_ids or list_id not in store.lists:
            allowed = ", ".join(map(str, campaign.list_ids))
            raise InvalidInputError(
                f"recipientListId: {list_id} is not assigned to transactional mail {campaign.id}, allowed: {allowed}"
            )
        known = store.recipients[list_id].get(recipient_id)
        if known is None:
            known = store.new_recipient(list_id, recipient_id, data.get(EMAIL) or recipient_id, data, now)
        else:
            known = changed(known, data, AttributeMode.SET, now)
            store.get_list(list_id).check_required(known.data, data)
        store.put_recipient(list_id, known)
        is_running = campaign.status_at(now) is CampaignStatus.RUNNING
        return self._dispatch(campaign, list_id, recipient_id, known.address, data, is_running=is_running)

    def start_mailing(self, campaign_id: int) -> SmartCampaign:
        """Send all mailings of a smart campaign to all recipients of its lists.

        Raises `NotFoundError`, and `ConflictError` if it was started already or has too many recipients.
        """
        store, now = self._store, self.now
        campaign = store.get_campaign(campaign_id, CampaignKind.REGULAR)
        if campaign.has_started:
            raise ConflictError(
                f"smart campaign {campaign_id} has status {campaign.status_at(now)}, allowed: one that was not started"
            )
        self._check_size(campaign)
        campaign = store.campaigns[campaign_id] = msgspec.structs.replace(
            campaign,
            status=CampaignStatus.RUNNING,
            started=now,
            modified=now,
            finished=now + self._outlet.policy.send_delay,
        )
        self._note("smart-campaign", "start", campaign_id)
        for index in range(len(campaign.messages)):
            for list_id in campaign.list_ids:
                for recipient in store.recipients_of(list_id).values():
                    if not recipient.is_pending:
                        self._dispatch(
                            campaign, list_id, recipient.id, recipient.address, recipient.data, message_index=index
                        )
        return campaign

    def _check_size(self, campaign: SmartCampaign) -> None:
        count = sum(self._store.recipients_of(list_id).accessible_count for list_id in campaign.list_ids)
        if count > MAILING_RECIPIENTS_MAX:
            raise ConflictError(
                f"smart campaign {campaign.id} has {count:,} recipients, allowed: at most {MAILING_RECIPIENTS_MAX:,}"
            )

    def act(
        self,
        mail_id: str,
        event_type: EventType,
        *,
        after: int = 0,
        link: str | None = None,
        category: str = BOUNCE_CATEGORIES[0],
    ) -> MailEvent:
        """Let the recipient of a mail open it, click a link and so on, now or `after` some milliseconds.

        Nothing occurs before the mail is sent. Raises `NotFoundError` for an unknown mail, `ConflictError` if it was
        not sent, and `InvalidInputError` for what nobody can do.
        """
        mail = self.get_mail(mail_id)
        if event_type not in ACTS:
            raise InvalidInputError(f"type: {event_type} is not what a recipient does, allowed: {', '.join(ACTS)}")
        if (event_type is EventType.DOUBLEOPTIN) is not mail.is_optin:
            raise ConflictError(
                f"a mail of this kind has no {event_type}, allowed: "
                + (EventType.DOUBLEOPTIN if mail.is_optin else "everything but a double opt-in")
            )
        if mail.result is not SendStatus.SENT:
            raise ConflictError(f"the mail is not sent ({mail.result}), so nothing can become of it")
        if category not in BOUNCE_CATEGORIES:
            raise InvalidInputError(f"category: {category!r}, allowed: {', '.join(BOUNCE_CATEGORIES)}")
        detail = BOUNCE_CATEGORIES.index(category) if event_type is EventType.BOUNCE else 0
        # Two equal events would be one to a consumer that deduplicates as it should.
        at = max(self.now + after, mail.sent_at + (not mail.is_optin))
        taken = {event.at for event in mail.events if event.type is event_type}
        while at in taken:
            at += 1
        event = MailEvent(at=at, type=event_type, detail=detail, link=link)
        self._note("mail-event", "add")
        self._add_event(mail, event)
        if event_type is EventType.SPAMCOMPLAINT:
            after_complaint = at + field_values.BLOCKLIST_DELAY
            self._add_event(self.get_mail(mail_id), MailEvent(at=after_complaint, type=EventType.BLOCKLIST))
        return event

    def _dispatch(
        self,
        campaign: SmartCampaign,
        list_id: int,
        recipient_id: str,
        address: str,
        data: Mapping[str, str],
        *,
        is_running: bool = True,
        message_index: int = 0,
    ) -> SentMail:
        """Send one mail, or note why it is not sent."""
        store, now, policy = self._store, self.now, self._outlet.policy
        obstacle = store.obstacle(recipient_id, address, policy)
        result = obstacle or SendStatus.SENT if is_running else SendStatus.WRONG_MAILING_STATUS
        sent_at, number, person = now + policy.send_delay, store.next_number(), store.person_of(recipient_id)
        mailing_id = campaign.messages[message_index].mailing_id
        facts = MailFacts(
            client_id=store.client_id,
            mailing_id=mailing_id,
            list_id=list_id,
            mail_id=store.planner.mail_id(mailing_id, list_id, number),
            recipient_id=recipient_id,
            address=address,
            person=person,
        )
        events: tuple[MailEvent, ...] = ()
        if result is SendStatus.SENT:
            events = store.planner.plan(address, person, number, sent_at)
        elif result is SendStatus.BLACKLISTED:
            events = (MailEvent(at=sent_at, type=EventType.FILTEREDBYBLOCKLIST),)
        mail = SentMail(
            facts=facts,
            campaign_id=campaign.id,
            data=data,
            accepted_at=now,
            sent_at=sent_at,
            result=result,
            events=events,
        )
        store.keep_mail(mail)
        self._outlet.record(
            MailSent(
                at=now,
                client_id=store.client_id,
                mail_id=facts.mail_id,
                mailing_id=mailing_id,
                recipient_list_id=list_id,
                result=result.value,
            )
        )
        self._let_occur(mail, events)
        store.settle(now)
        return mail
