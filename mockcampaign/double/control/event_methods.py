"""Methods that make recipients open, click and so on, so that there are events to deliver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mockcampaign.double.control.session import SessionMethods, in_home
from mockcampaign.double.inputs import Duration, checked_events, count_of, duration_of, event_type_of, sample_of
from mockcampaign.double.mail_handle import Mail
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.errors import MisuseError
from mockcampaign.events import DEFAULT_RATES
from mockcampaign.model import EventType, Webhook
from mockcampaign.policy import DEFAULT_CLIENT_ID

if TYPE_CHECKING:
    from mockcampaign.campaign import MailingSent
    from mockcampaign.double.inputs import LikeEvents
    from mockcampaign.events import Rates

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here


class EventMethods(SessionMethods):
    """Emit events, or send a mailing that produces them."""

    @in_home
    def emit(
        self,
        to: Webhook | EventType | str,
        count: int | None = None,
        *,
        over: Duration | None = None,
        like: LikeEvents | None = None,
        events: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        """Emit `count` events (default: 1) of the type of this webhook.

        They occur now, or spread `over` the time to come. No two are created in the same millisecond: those that occur
        now were created within some moments before. For equal ones, pass `events`: these are emitted exactly, such as
        a batch drawn from `mockcampaign.strategies`, and occur now, whatever their `created` is. `like` makes events of
        the shape of captured ones, given as an event, a list of events, a file that contains them, or a `Shape`.

        Raises `MisuseError` if no webhook is for events of this type, and `InvalidInputError` for a value out of range.
        """
        session = self._session
        session.home.check_open()
        kind, client_id = self._receivers(to)
        session.has_seen_outcome = False
        if events is not None:
            if count is not None or like is not None or over is not None:
                raise MisuseError(
                    "emit: `events` are the complete events, which occur now: leave out count, `over` and `like`"
                )
            now = session.engine.now
            payloads = tuple((now, msgspec.json.encode(event)) for event in checked_events(events))
            if payloads:
                session.engine.put([(now, EventsDue(client_id=client_id, type=kind, payloads=payloads))])
            return
        session.engine.emit(
            kind,
            1 if count is None else count_of(count),
            over=0 if over is None else duration_of(over, "over"),
            like=None if like is None else sample_of(like, kind),
            client_id=client_id,
        )

    @in_home
    def mailing(self, recipients: int, *, rates: Rates = DEFAULT_RATES) -> MailingSent:
        """Send a mailing now, whose recipients open, click and so on during the next month.

        Raises `MisuseError` if there is no webhook yet.
        """
        session = self._session
        session.home.check_open()
        session.need_webhook("mailing")
        session.has_seen_outcome = False
        return session.engine.mailing(recipients, rates=rates)

    @in_home
    def send(
        self,
        recipient: str,
        *,
        mail: str | int | None = None,
        data: Mapping[str, str] | None = None,
        client_id: int = DEFAULT_CLIENT_ID,
    ) -> Mail:
        """Send a transactional mail to a recipient, as the vendor's REST API does.

        `mail` is the name or id of the transactional mail (default: the first one). The recipient joins the first of
        its recipient lists. Raises `InvalidInputError` for an unknown mail.
        """
        session = self._session
        session.home.check_open()
        session.has_seen_outcome = False
        client = session.engine.client(client_id)
        found = client.state.find_transactional_mail(mail)
        sent = client.send(found.id, found.list_ids[0], recipient, data=data or {})
        return Mail(session.engine, sent, session.home.call_in_home)

    @property
    @in_home
    def mails(self) -> list[Mail]:
        """All mails that were sent one by one, oldest first, whether by `send` or by the vendor's REST API."""
        session = self._session
        return [Mail(session.engine, sent, session.home.call_in_home) for sent in session.engine.mails()]

    @in_home
    def confirm_optin(self, recipient: str, *, client_id: int = DEFAULT_CLIENT_ID) -> None:
        """Let a recipient confirm a double opt-in. Raises `NotFoundError` if none is pending."""
        self._session.home.check_open()
        self._session.engine.client(client_id).confirm_optin(recipient)

    def _receivers(self, to: Webhook | EventType | str) -> tuple[EventType, int]:
        if isinstance(to, Webhook):
            return to.type, to.client_id
        session = self._session
        kind = event_type_of(to)
        session.need_webhook("emit")
        webhooks = session.engine.webhooks.all()
        found = [webhook for webhook in webhooks if webhook.type == kind]
        if not found:
            types = ", ".join(dict.fromkeys(webhook.type for webhook in webhooks))
            raise MisuseError(
                f"emit: no webhook is for {kind.value!r} events (there are webhooks for: {types}), create one first: "
                f"{session.home.how_to_create.format(kind.value)}"
            )
        return kind, found[0].client_id
