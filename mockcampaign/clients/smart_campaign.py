"""Smart campaigns with their mailings. Transactional and confirmation mails are smart campaigns, too."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from mockcampaign.tables import complete


class CampaignStatus(StrEnum):
    """The status of a smart campaign or mailing (vendor's API description)."""

    INVALID = "invalid"
    ACTIVATION_REQUIRED = "activationRequired"
    ACTIVATED = "activated"
    CANCELED = "canceled"
    PAUSED = "paused"
    RUNNING = "running"
    FINISHED = "finished"


class CampaignKind(StrEnum):
    """The type of a smart campaign (vendor's API description)."""

    REGULAR = "regular"
    EVENT = "event"
    """A transactional mail."""
    CONFIRMATION = "confirmation"


NOUNS = complete(
    "the noun of each type of smart campaign",
    CampaignKind,
    {
        CampaignKind.REGULAR: "smart campaign",
        CampaignKind.EVENT: "transactional mail",
        CampaignKind.CONFIRMATION: "confirmation mail",
    },
)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A mailing of a smart campaign."""

    mailing_id: int
    node_id: str
    name: str
    media_type: str = "email"
    created: int
    modified: int
    subject: str = ""
    sender_address: str = ""
    sender_name: str = ""
    reply_to_address: str = ""
    content: str = ""


class SmartCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """A smart campaign."""

    id: int
    kind: CampaignKind = CampaignKind.REGULAR
    name: str
    description: str = ""
    status: CampaignStatus = CampaignStatus.ACTIVATION_REQUIRED
    created: int
    modified: int
    started: int | None = None
    finished: int | None = None
    """When the last mail of a mailing is sent, or a transactional mail was stopped."""
    node_id: str
    """Node of the recipient lists."""
    list_ids: tuple[int, ...] = ()
    messages: tuple[Message, ...] = ()

    def status_at(self, now: int) -> CampaignStatus:
        """Return the status at a moment: a mailing is finished when its last mail is sent."""
        if self.finished is not None and now >= self.finished:
            return CampaignStatus.FINISHED
        return self.status

    @property
    def has_started(self) -> bool:
        """Whether mails of it were or can be sent."""
        return self.started is not None
