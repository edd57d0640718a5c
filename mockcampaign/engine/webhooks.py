"""The webhooks of all clients, and the one table that says which command leads to which status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from mockcampaign.errors import WebhookCommandRejectedError, WebhookNotFoundError, WebhookOfAnotherClientError
from mockcampaign.model import Authentication, EventType, NoAuthentication, Webhook, WebhookStatus
from mockcampaign.policy import check_client_id
from mockcampaign.tables import complete

Command = Literal["create", "update", "activate", "deactivate", "suspend", "delete"]

# An absent entry is the error. "Already activated", "not activated" and "delete unless deactivated" are documented as
# errors (vendor's API description); that any webhook which exists may be updated, that Campaign suspends activated ones
# only, and that a suspended one may be activated again, is assumed. Deleted webhooks are found no more.
_STATUS_AFTER: dict[tuple[WebhookStatus, Command], WebhookStatus] = {
    (WebhookStatus.CREATED, "update"): WebhookStatus.CREATED,
    (WebhookStatus.CREATED, "activate"): WebhookStatus.ACTIVATED,
    (WebhookStatus.ACTIVATED, "update"): WebhookStatus.ACTIVATED,
    (WebhookStatus.ACTIVATED, "deactivate"): WebhookStatus.DEACTIVATED,
    (WebhookStatus.ACTIVATED, "suspend"): WebhookStatus.SUSPENDED,
    (WebhookStatus.DEACTIVATED, "update"): WebhookStatus.DEACTIVATED,
    (WebhookStatus.DEACTIVATED, "activate"): WebhookStatus.ACTIVATED,
    (WebhookStatus.DEACTIVATED, "delete"): WebhookStatus.DELETED,
    (WebhookStatus.SUSPENDED, "update"): WebhookStatus.SUSPENDED,
    (WebhookStatus.SUSPENDED, "activate"): WebhookStatus.ACTIVATED,
}


COMMANDS: tuple[Command, ...] = ("update", "activate", "deactivate", "suspend", "delete")
"""The commands on a webhook that exists."""


def statuses_allowing(command: Command) -> list[WebhookStatus]:
    """Return the statuses in which a webhook can get the command, sorted."""
    return sorted(status for status, allowed in _STATUS_AFTER if allowed == command)


_UNTIL_DELETED: Mapping[WebhookStatus, tuple[Command, ...]] = complete(
    "the commands that delete a webhook of each status",
    WebhookStatus,
    {
        WebhookStatus.CREATED: ("activate", "deactivate", "delete"),
        WebhookStatus.ACTIVATED: ("deactivate", "delete"),
        WebhookStatus.SUSPENDED: ("activate", "deactivate", "delete"),
        WebhookStatus.DEACTIVATED: ("delete",),
        WebhookStatus.DELETED: (),
    },
)


def commands_until_deleted(status: WebhookStatus) -> tuple[Command, ...]:
    """Return the commands that delete a webhook of this status, in order."""
    return _UNTIL_DELETED[status]


class Webhooks:
    """Finds webhooks that are not deleted. Every method that returns a webhook returns its newest value."""

    def __init__(self) -> None:
        self._webhooks: dict[int, Webhook] = {}
        self._deleted: dict[int, Webhook] = {}
        self._ids_of_client: dict[int, list[int]] = {}

    def of_client(self, client_id: int) -> list[Webhook]:
        """Return the client's webhooks, oldest first."""
        return [self._webhooks[webhook_id] for webhook_id in self._ids_of_client.get(client_id, ())]

    def ids_of_client(self, client_id: int) -> Sequence[int]:
        """Return the ids of `of_client`, for callers that need only some of the webhooks."""
        return self._ids_of_client.get(client_id, ())

    def newest(self, webhook_id: int) -> Webhook:
        """Return the webhook with an id that `ids_of_client` returned."""
        return self._webhooks[webhook_id]

    def all(self) -> list[Webhook]:
        """Return the webhooks of all clients, oldest first."""
        return list(self._webhooks.values())

    def get(self, client_id: int, webhook_id: int) -> Webhook:
        """Return one webhook. Raises `WebhookNotFoundError` or `WebhookOfAnotherClientError`."""
        webhook = self._webhooks.get(webhook_id)
        if webhook is None:
            raise WebhookNotFoundError(f"webhook {webhook_id} does not exist")
        if webhook.client_id != client_id:
            raise WebhookOfAnotherClientError(f"webhook {webhook_id} does not belong to client {client_id}")
        return webhook

    def past_or_present(self, webhook_id: int) -> Webhook:
        """Return a webhook as it is, or was when it was deleted. Raises `WebhookNotFoundError` if it never was."""
        webhook = self._webhooks.get(webhook_id) or self._deleted.get(webhook_id)
        if webhook is None:
            raise WebhookNotFoundError(f"webhook {webhook_id} does not exist")
        return webhook


class WebhookRegistry(Webhooks):
    """Creates and changes webhooks, too."""

    def __init__(self, webhooks_per_client_max: int, *, first_id: int = 1) -> None:
        super().__init__()
        self._webhooks_per_client_max = webhooks_per_client_max
        self._next_id = first_id

    @property
    def next_id(self) -> int:
        """The id of the next webhook. No id is used twice."""
        return self._next_id

    def restore(self, webhook: Webhook) -> None:
        """Take over a webhook of another registry, in the order of their creation."""
        if webhook.status is WebhookStatus.DELETED:
            self._deleted[webhook.id] = webhook
        else:
            self._webhooks[webhook.id] = webhook
            self._ids_of_client.setdefault(webhook.client_id, []).append(webhook.id)

    def create(
        self,
        client_id: int,
        event_type: EventType,
        target_url: str,
        authentication: Authentication = NoAuthentication(),
        *,
        integration_id: str = "",
        now: int,
    ) -> Webhook:
        """Create a webhook.

        Raises `WebhookCommandRejectedError` at the client's creation limit, and `InvalidInputError` if there can be no
        such client.
        """
        check_client_id(client_id)
        ids = self._ids_of_client.setdefault(client_id, [])
        if len(ids) >= self._webhooks_per_client_max:
            raise WebhookCommandRejectedError(
                f"client {client_id} has {self._webhooks_per_client_max} webhooks, which is the limit"
            )
        webhook = Webhook(
            id=self._next_id,
            client_id=client_id,
            type=event_type,
            target_url=target_url,
            authentication=authentication,
            integration_id=integration_id,
            created=now,
            modified=now,
        )
        self._next_id += 1
        self._webhooks[webhook.id] = webhook
        ids.append(webhook.id)
        return webhook

    def update(
        self,
        client_id: int,
        webhook_id: int,
        *,
        now: int,
        target_url: str | None = None,
        authentication: Authentication | None = None,
    ) -> Webhook:
        """Change the target or the credentials, each unless None. Raises as `get` does."""
        webhook = self._command(client_id, webhook_id, "update", now)
        webhook = msgspec.structs.replace(
            webhook,
            target_url=webhook.target_url if target_url is None else target_url,
            authentication=webhook.authentication if authentication is None else authentication,
        )
        self._webhooks[webhook_id] = webhook
        return webhook

    def activate(self, client_id: int, webhook_id: int, *, now: int) -> Webhook:
        """Activate a webhook. Raises as `get` does, and `WebhookCommandRejectedError` if it is activated already."""
        return self._command(client_id, webhook_id, "activate", now)

    def deactivate(self, client_id: int, webhook_id: int, *, now: int) -> Webhook:
        """Deactivate a webhook. Raises as `get` does, and `WebhookCommandRejectedError` if it is not activated."""
        return self._command(client_id, webhook_id, "deactivate", now)

    def suspend(self, client_id: int, webhook_id: int, *, now: int) -> Webhook:
        """Suspend a webhook. Raises as `get` does, and `WebhookCommandRejectedError` if it is not activated."""
        return self._command(client_id, webhook_id, "suspend", now)

    def delete(self, client_id: int, webhook_id: int, *, now: int) -> Webhook:
        """Delete a webhook. Raises as `get` does, and `WebhookCommandRejectedError` unless it is deactivated."""
        webhook = self._command(client_id, webhook_id, "delete", now)
        self._deleted[webhook_id] = self._webhooks.pop(webhook_id)
        self._ids_of_client[client_id].remove(webhook_id)
        return webhook

    def _command(self, client_id: int, webhook_id: int, command: Command, now: int) -> Webhook:
        webhook = self.get(client_id, webhook_id)
        status = _STATUS_AFTER.get((webhook.status, command))
        if status is None:
            allowed = statuses_allowing(command)
            raise WebhookCommandRejectedError(
                f"cannot {command} webhook {webhook_id} in status {webhook.status}, allowed in: {', '.join(allowed)}"
            )
        webhook = msgspec.structs.replace(webhook, status=status, modified=now)
        self._webhooks[webhook_id] = webhook
        return webhook
