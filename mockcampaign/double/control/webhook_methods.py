"""Methods that create webhooks and change their status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockcampaign.double.control.session import SessionMethods, in_home
from mockcampaign.double.inputs import authentication_of, event_type_of
from mockcampaign.engine.journal import FaultDeclared
from mockcampaign.model import EventType, Webhook

if TYPE_CHECKING:
    from mockcampaign.double.consumer_targets import Settled, Target
    from mockcampaign.double.inputs import Credentials

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here


class WebhookMethods(SessionMethods):
    """Create, activate, deactivate and delete webhooks."""

    @in_home
    def webhook(
        self,
        type: EventType | str,  # noqa: A002
        target: Target,
        path: str = "",
        *,
        auth: Credentials | None = None,
        activate: bool = True,
        lifespan: bool = True,
        settled: Settled | None = None,
    ) -> Webhook:
        """Create a webhook for events of this type, and activate it.

        `target` is a URL, a server with a `url`, or an ASGI or WSGI application, which is called in-process. `path` is
        the path of the webhook's endpoint there. An ASGI application is started before its first request and stopped
        after the test, unless `lifespan` is False. `auth` is a pair of user name and password, both in
        one text with a colon between, or one of `model.Authentication`.

        `advance` and `run` also wait for a consumer that keeps working after its response, if its tasks are visible. If
        they are not, pass `settled`: a function that returns, or can be awaited, when the consumer is idle.

        Raises `MisuseError` for an object that is not a target, and `WebhookError` at the client's creation limit.
        """
        session = self._session
        session.home.check_open()
        kind, authentication = event_type_of(type), authentication_of(auth)
        url = session.home.url_of(target, path, lifespan=lifespan, settled=settled)
        for entry in session.engine.journal.entries:
            if isinstance(entry, FaultDeclared):
                session.engine.check_fault(entry.fault)
        webhook = session.engine.create(kind, url, authentication)
        return session.engine.activate(webhook) if activate else webhook

    @in_home
    def activate(self, webhook: Webhook) -> Webhook:
        """Activate a webhook. Raises `WebhookCommandRejectedError` if it is active already."""
        self._session.home.check_open()
        return self._session.engine.activate(webhook)

    @in_home
    def deactivate(self, webhook: Webhook) -> Webhook:
        """Deactivate a webhook; its pending events stay. Raises `WebhookCommandRejectedError` if it is not active."""
        self._session.home.check_open()
        return self._session.engine.deactivate(webhook)

    @in_home
    def suspend(self, webhook: Webhook) -> Webhook:
        """Suspend a webhook, as Campaign does by itself. Raises `WebhookCommandRejectedError` if it is not active."""
        self._session.home.check_open()
        return self._session.engine.suspend(webhook)

    @in_home
    def delete(self, webhook: Webhook) -> Webhook:
        """Delete a webhook and discard its pending events.

        Raises `WebhookCommandRejectedError` unless it is deactivated.
        """
        self._session.home.check_open()
        return self._session.engine.delete(webhook)

    @property
    @in_home
    def webhooks(self) -> list[Webhook]:
        """All webhooks in their current state, deleted ones included, in order of creation."""
        return [self._session.engine.webhook(webhook_id) for webhook_id in self._session.view.webhook_ids]
