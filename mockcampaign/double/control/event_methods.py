"""Methods that make recipients open, click and so on, so that there are events to deliver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mockcampaign.double.control.session import SessionMethods, in_home
from mockcampaign.double.inputs import Duration, duration_of, event_type_of, sample_of
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.errors import MisuseError
from mockcampaign.events import DEFAULT_RATES
from mockcampaign.model import EventType, Webhook

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

        They occur now, or spread `over` the time to come. `like` makes events of the shape of captured ones, given
        as an event, a list of events, a file that contains them, or a `Shape`. `events` emits exactly these events,
        such as a batch drawn from `mockcampaign.strategies`; they occur now, whatever their `created` is.

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
            payloads = tuple((now, msgspec.json.encode(event)) for event in events)
            if payloads:
                session.engine.put([(now, EventsDue(client_id=client_id, type=kind, payloads=payloads))])
            return
        session.engine.emit(
            kind,
            1 if count is None else count,
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
