"""A mail that was sent during a test, whose recipient the test makes act."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from mockcampaign.campaign import Campaign
from mockcampaign.clients.sent_mail import SentMail
from mockcampaign.double.arguments import TEXT, check_value, optional
from mockcampaign.double.inputs import Duration, duration_of
from mockcampaign.model import EventType

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here

Result = TypeVar("Result")


class Mail:
    """A mail that a call has sent. Its recipient does what the test says, now or later on the campaign's clock."""

    def __init__(self, engine: Campaign, sent: SentMail, call_in_home: Callable[[Callable[[], Any]], Any]) -> None:
        self._engine = engine
        self._sent = sent
        self._call_in_home = call_in_home

    def __repr__(self) -> str:
        return f"<Mail {self.id}, {self.status}>"

    @property
    def id(self) -> str:
        """The id that all events of the mail carry."""
        return self._sent.facts.mail_id

    @property
    def recipient_id(self) -> str:
        """Id of the recipient."""
        return self._sent.facts.recipient_id

    @property
    def mailing_id(self) -> int:
        """Id of the mailing."""
        return self._sent.facts.mailing_id

    @property
    def recipient_list_id(self) -> int:
        """Id of the recipient list."""
        return self._sent.facts.list_id

    @property
    def data(self) -> dict[str, str]:
        """Attributes that the call has sent."""
        return dict(self._sent.data)

    @property
    def status(self) -> str:
        """Status of the mail now, such as `enqueued` or `sent`."""
        return self._current()[0]

    @property
    def events(self) -> list[str]:
        """Types of the events of the mail so far."""
        return self._current()[1]

    def open(self, *, after: Duration = "0s") -> Mail:
        """Let the recipient open the mail."""
        return self._act(EventType.OPEN, after)

    def click(self, link: str | None = None, *, after: Duration = "0s") -> Mail:
        """Let the recipient click a link (default: one of the model's links)."""
        check_value("click: link", optional(TEXT), link)
        return self._act(EventType.CLICK, after, link=link)

    def unsubscribe(self, *, after: Duration = "0s") -> Mail:
        """Let the recipient unsubscribe."""
        return self._act(EventType.UNSUBSCRIBE, after)

    def complain(self, *, after: Duration = "0s") -> Mail:
        """Let the recipient complain about spam, which puts the address on the blocklist."""
        return self._act(EventType.SPAMCOMPLAINT, after)

    def bounce(self, category: str = "hardbounce", *, after: Duration = "0s") -> Mail:
        """Let the mail bounce. Raises `InvalidInputError` for an unknown category."""
        check_value("bounce: category", TEXT, category)
        return self._act(EventType.BOUNCE, after, category=category)

    def _act(self, event_type: EventType, after: Duration, **more: Any) -> Mail:
        delay = duration_of(after, "after")
        facts = self._sent.facts

        def act() -> None:
            self._engine.client(facts.client_id).act(facts.mail_id, event_type, after=delay, **more)

        self._call_in_home(act)
        return self

    def _current(self) -> tuple[str, list[str]]:
        facts = self._sent.facts

        def read() -> tuple[str, list[str]]:
            now, mail = self._engine.now, self._engine.client(facts.client_id).get_mail(facts.mail_id)
            return mail.status(now).value, [event.type.value for event in mail.events_until(now)]

        found: tuple[str, list[str]] = self._call_in_home(read)
        return found
