"""Definitions of both ends of a delivery: the consumer under test, and the webhooks that send to it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mockcampaign.check.probes.sql_probe import query_placeholders
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import (
    Authentication,
    BasicAuthentication,
    EventType,
    KeyAuthentication,
    NoAuthentication,
)
from mockcampaign.policy import DEFAULT_CLIENT_ID
from mockcampaign.scenario.language.annotations import OneOf, Secret
from mockcampaign.scenario.language.plain_values import ClientId, DatabaseUrl, Duration, JmesPath, ProbeUrl, Query, Url
from mockcampaign.shape.placeholders import Placeholder, in_braces
from mockcampaign.transport.address import encode_headers


class ProbeDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """How to ask for the events the consumer has stored: at a `url`, where `events` selects them or `count` selects
    their number (default: the whole response is the list of events); or in the database at `sql`, by a `query`.
    Placeholders in `url` and `query` select the events of the run: `{clientId}`, `{mailingId}`, `{mailIds}` and
    `{since}`, in a query `:clientId` and so on."""

    url: ProbeUrl | None = None
    """Requested with GET; the response is JSON."""
    sql: DatabaseUrl | None = None
    """URL of a database, as SQLAlchemy writes it. No output repeats it."""
    query: Query | None = None
    """`SELECT` of the stored events in the database. Columns have the names of fields, in any spelling, or of roles.
    It is never allowed to change anything."""
    events: JmesPath | None = None
    """JMESPath of the list of all stored events in the response, such as `data.items` (default: `@`, the whole
    response). It may also rename fields. A response that is no list is an error, which names the lists in it."""
    count: JmesPath | None = None
    """JMESPath of the number of all stored events in the response."""
    settle: Duration = 0
    """For consumers that store events in the background: how long an `expect` repeats the request, in wall time, until
    the stored events are as expected."""

    def __post_init__(self) -> None:
        if (self.url is None) == (self.sql is None):
            raise InvalidInputError("expected exactly one of the keys 'url' and 'sql'")
        if (self.sql is None) != (self.query is None):
            raise InvalidInputError("the keys 'sql' and 'query' have no effect alone, allowed: both of them")
        if self.sql is not None and not (self.events is None and self.count is None):
            raise InvalidInputError("the keys 'events' and 'count' are for a response, allowed with 'sql': 'query'")
        if self.events is not None and self.count is not None:
            raise InvalidInputError("expected one of the keys 'events' and 'count', found both")

    def placeholders(self) -> frozenset[Placeholder]:
        """Return the placeholders by which the probe selects events."""
        if self.query is not None:
            return query_placeholders(self.query, "query")
        return in_braces(self.url or "", "url")


class ConsumerDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint under test."""

    url: Url
    """Target of every webhook without a URL of its own."""
    probe: ProbeDefinition | None = None
    """How to ask the consumer for the events it has stored."""
    fixture: str | None = None
    """When pytest runs the file: the fixture that provides the consumer (a URL, a server, or an ASGI or WSGI
    application). All requests to the host of `url` go there instead."""
    clock: str | None = None
    """File, relative to the scenario's folder, that leads the consumer's clock: that of `mockcampaign clock run`. The
    consumer sees virtual time, and each attempt is really sent (default: it sees that of its machine)."""


class BasicAuth(msgspec.Struct, frozen=True, kw_only=True):
    """HTTP Basic credentials."""

    username: str
    """User name, without colons."""
    password: str
    """Password. No output repeats it."""

    def __post_init__(self) -> None:
        if ":" in self.username:
            raise InvalidInputError("username: a colon would end it (RFC 7617), allowed: text without colons")

    def authentication(self) -> Authentication:
        """Return the credentials as the sender uses them."""
        return BasicAuthentication(self.username, self.password)


class KeyAuth(msgspec.Struct, frozen=True, kw_only=True):
    """A request header with a secret value."""

    key: str
    """Name of the header, such as `Authorization` or `X-Api-Key`."""
    passphrase: str
    """Value of the header. No output repeats it."""

    def __post_init__(self) -> None:
        encode_headers(self.authentication().headers())

    def authentication(self) -> Authentication:
        """Return the credentials as the sender uses them."""
        return KeyAuthentication(self.key, self.passphrase)


class NoAuth(msgspec.Struct, frozen=True, kw_only=True):
    """No credentials."""

    def authentication(self) -> Authentication:
        """Return the credentials as the sender uses them."""
        return NoAuthentication()


Auth = Annotated[
    BasicAuth | KeyAuth | NoAuth,
    Secret(),
    OneOf("a kind of credentials", {"basic": BasicAuth, "key": KeyAuth, "none": NoAuth}),
]


class WebhookDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook to create. It sends to the consumer unless it has a URL of its own."""

    type: EventType
    """The one event type that it exports."""
    url: Url | None = None
    """Target URL (default: the consumer's URL)."""
    auth: Auth = NoAuth()
    """Credentials that every request carries."""
    client: ClientId = DEFAULT_CLIENT_ID
    """Id of the client that owns the webhook."""


class WebhookUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Changes to a webhook."""

    url: Url | None = None
    """New target URL. Pending events go there, too."""
    auth: Auth | None = None
    """New credentials."""

    def __post_init__(self) -> None:
        if self.url is None and self.auth is None:
            raise InvalidInputError("changes nothing, allowed: at least one of the keys 'url' and 'auth'")
