"""Commands on smart campaigns, transactional mails and their messages."""

from __future__ import annotations

import msgspec

from mockcampaign.clients.recipient_commands import ClientCommands
from mockcampaign.clients.smart_campaign import CampaignKind, CampaignStatus, Message, SmartCampaign
from mockcampaign.errors import ConflictError, InvalidInputError, NotFoundError, RejectedError

SMART_CAMPAIGNS_MAX = 10_000
"""Maximum for each client, and of mailings for each smart campaign. Ours."""


class CampaignCommands(ClientCommands):
    """Create, change, start, stop and delete smart campaigns."""

    __slots__ = ()

    def create_campaign(
        self,
        kind: CampaignKind,
        name: str | None = None,
        *,
        source_id: int | None = None,
        list_ids: tuple[int, ...] = (),
        description: str = "",
    ) -> SmartCampaign:
        """Create a smart campaign, or a transactional mail without its message.

        Raises `RejectedError` at the limit, `NotFoundError` for an unknown source, and `InvalidInputError` for a list
        of another client.
        """
        store, now = self._store, self.now
        if len(store.campaigns_of(kind)) >= SMART_CAMPAIGNS_MAX:
            raise RejectedError(
                f"client {store.client_id} has {SMART_CAMPAIGNS_MAX} smart campaigns, which is the limit"
            )
        self._check_lists(list_ids)
        source = None if source_id is None else store.get_campaign(source_id, kind)
        number = store.ids.new()
        noun = "Transactional Mail" if kind is CampaignKind.EVENT else "Smart Campaign"
        campaign = SmartCampaign(
            id=number,
            kind=kind,
            name=name or (f"Copy of {source.name}" if source is not None else f"{noun} {number}"),
            description=description,
            status=CampaignStatus.ACTIVATED if kind is CampaignKind.EVENT else CampaignStatus.ACTIVATION_REQUIRED,
            created=now,
            modified=now,
            node_id=str(store.ids.new()),
            list_ids=list_ids or (() if source is None else source.list_ids),
            messages=tuple(
                msgspec.structs.replace(
                    message, mailing_id=store.ids.new(), node_id=str(store.ids.new()), created=now, modified=now
                )
                for message in (() if source is None else source.messages)
            ),
        )
        store.campaigns[number] = campaign
        self._note("smart-campaign", "add", number)
        return campaign

    def rename_campaign(self, campaign: SmartCampaign, name: str | None) -> SmartCampaign:
        """Change the name of a smart campaign, if there is a new one."""
        return self._replace(campaign, name=name or campaign.name)

    def assign_lists(self, campaign: SmartCampaign, list_ids: tuple[int, ...]) -> SmartCampaign:
        """Give a smart campaign its recipient lists. Raises `NotFoundError` for a list of another client."""
        for list_id in list_ids:
            if list_id not in self._store.lists:
                raise NotFoundError(f"recipient list {list_id} does not exist under this client")
        return self._replace(campaign, list_ids=list_ids)

    def delete_campaign(self, campaign: SmartCampaign) -> None:
        """Delete a smart campaign.

        Raises `RejectedError` if it was started: 400 for a smart campaign, 409 for a transactional mail (documented).
        """
        if campaign.has_started:
            error = ConflictError if campaign.kind is CampaignKind.EVENT else RejectedError
            raise error(f"{campaign.id} cannot be deleted, as it contains messages that have started")
        del self._store.campaigns[campaign.id]
        self._note("smart-campaign", "remove", campaign.id)

    def add_message(
        self,
        campaign: SmartCampaign,
        name: str | None = None,
        *,
        media_type: str = "email",
        subject: str = "",
        sender_address: str = "",
        sender_name: str = "",
        reply_to_address: str = "",
        content: str = "",
    ) -> Message:
        """Add a mailing to a smart campaign. Raises `RejectedError` at the limit."""
        if len(campaign.messages) >= SMART_CAMPAIGNS_MAX:
            raise RejectedError(f"smart campaign {campaign.id} has {SMART_CAMPAIGNS_MAX} mailings, which is the limit")
        number = self._store.ids.new()
        message = Message(
            mailing_id=number,
            node_id=str(self._store.ids.new()),
            name=name or f"Mailing {number}",
            media_type=media_type,
            created=self.now,
            modified=self.now,
            subject=subject,
            sender_address=sender_address,
            sender_name=sender_name,
            reply_to_address=reply_to_address,
            content=content,
        )
        self._replace(campaign, messages=(*campaign.messages, message))
        return message

    def get_message(self, campaign: SmartCampaign, mailing_id: int) -> Message:
        """Return a mailing of a smart campaign. Raises `NotFoundError`."""
        for message in campaign.messages:
            if message.mailing_id == mailing_id:
                return message
        raise NotFoundError(f"mailing {mailing_id} does not exist in this smart campaign")

    def delete_message(self, campaign: SmartCampaign, mailing_id: int) -> None:
        """Delete a mailing. Raises `NotFoundError`, and `ConflictError` if it was started."""
        self.get_message(campaign, mailing_id)
        if campaign.has_started:
            raise ConflictError(f"mailing {mailing_id} cannot be deleted, as its smart campaign was started")
        self._replace(
            campaign,
            messages=tuple(message for message in campaign.messages if message.mailing_id != mailing_id),
        )

    def start_transactional_mail(self, number: int) -> SmartCampaign:
        """Start a transactional mail. Raises `NotFoundError`, and `ConflictError` unless it is activated."""
        return self._move(number, CampaignStatus.ACTIVATED, CampaignStatus.RUNNING)

    def stop_transactional_mail(self, number: int) -> SmartCampaign:
        """Stop a transactional mail. Raises `NotFoundError`, and `ConflictError` unless it is running."""
        return self._move(number, CampaignStatus.RUNNING, CampaignStatus.FINISHED)

    def _move(self, number: int, required: CampaignStatus, following: CampaignStatus) -> SmartCampaign:
        campaign = self._store.get_campaign(number, CampaignKind.EVENT)
        if campaign.status is not required:
            raise ConflictError(f"transactional mail {number} has status {campaign.status}, allowed: {required}")
        is_start = following is CampaignStatus.RUNNING
        self._note("smart-campaign", "start" if is_start else "stop", number)
        return self._replace(campaign, status=following, **{"started" if is_start else "finished": self.now})

    def _check_lists(self, list_ids: tuple[int, ...]) -> None:
        for list_id in list_ids:
            if list_id not in self._store.lists:
                raise InvalidInputError(f"recipientListIds: {list_id} is not a recipient list of this client")

    def _replace(self, campaign: SmartCampaign, **changes: object) -> SmartCampaign:
        changed = msgspec.structs.replace(campaign, modified=self.now, **changes)
        self._store.campaigns[campaign.id] = changed
        return changed
