"""Smart campaigns and their mailings, as far as a client needs them to find a mailing id for verifying a webhook."""

from __future__ import annotations

from typing import Literal

import msgspec

from mockcampaign.errors import WebhookError
from mockcampaign.server.response_types import Moment, ResponseId

SMART_CAMPAIGNS_MAX = 10_000
"""Maximum for each client, and of mailings for each smart campaign. Ours."""

Status = Literal["invalid", "activationRequired", "activated", "canceled", "paused", "running", "finished"]


class SmartCampaignNotFoundError(WebhookError):
    """The client has no such smart campaign or mailing."""

    http_status_code = 404


class TooManyError(WebhookError):
    """The client has as many as the double allows."""


class RestMessageNode(msgspec.Struct, rename="camel", kw_only=True):
    """A mailing of a smart campaign."""

    node_id: str
    name: str
    mailing_id: ResponseId
    media_type: str
    status: Status
    created: Moment
    modified: Moment
    subject: dict[str, str]
    sender_address: str
    sender_name: str


class RestSmartCampaign(msgspec.Struct, rename="camel", kw_only=True):
    """A smart campaign."""

    id: ResponseId
    name: str
    status: Status
    type: Literal["regular", "event", "confirmation"]
    created: Moment
    modified: Moment
    messages: list[RestMessageNode]


class RestSmartCampaignStreamingCollection(msgspec.Struct):
    """One page of smart campaigns."""

    elements: list[RestSmartCampaign]
    count: int
    offset: int
    limit: int


class SmartCampaigns:
    """The smart campaigns of all clients."""

    def __init__(self) -> None:
        self._of_client: dict[int, dict[int, RestSmartCampaign]] = {}
        self._last_id = 123456789100

    def of_client(self, client_id: int) -> dict[int, RestSmartCampaign]:
        """Return the client's smart campaigns by id, oldest first."""
        return self._of_client.setdefault(client_id, {})

    def get(self, client_id: int, campaign_id: int) -> RestSmartCampaign:
        """Return a smart campaign. Raises `SmartCampaignNotFoundError` if the client has none of that id."""
        found = self.of_client(client_id).get(campaign_id)
        if found is None:
            raise SmartCampaignNotFoundError(f"smart campaign {campaign_id} does not exist")
        return found

    def new_id(self) -> int:
        """Return an id that has never been used."""
        self._last_id += 1
        return self._last_id
