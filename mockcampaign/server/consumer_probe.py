"""The probe by which a server asks its consumer for the events that it has stored."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mockcampaign.check.probes.probe_making import close_probe, make_probe
from mockcampaign.check.probes.run_command import parsed, runnable
from mockcampaign.check.probes.sql_probe import query_placeholders
from mockcampaign.check.probes.store_probe import StoreProbe, command_placeholders
from mockcampaign.errors import InvalidInputError, naming
from mockcampaign.judging.consumer_store import check_jmespath
from mockcampaign.masking import shown_url
from mockcampaign.shape.placeholders import in_braces
from mockcampaign.shape.shape import Shape
from mockcampaign.transport.address import parse_address
from mockcampaign.transport.wire import WireTransport

NO_PROBE = "the server has no probe, allowed: one given with --probe, --probe-command or --probe-sql"


class ProbeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where the consumer reports what it has stored: at a URL, by a command or in its database, if at all."""

    url: str | None = None
    command: str | None = None
    sql: str | None = None
    """URL of the database, as SQLAlchemy spells it; with `query`."""
    query: str | None = None
    """Reads the stored events from the database."""
    events: str | None = None
    """JMESPath of the list of events (default: the whole response)."""
    count: str | None = None
    """JMESPath of their number, for a probe that reports no events."""
    fields: tuple[str, ...] = ()
    """Fields that the probe reports (default: all)."""

    def __repr__(self) -> str:
        return "ProbeOptions(…)"

    def check(self) -> None:
        """Raise `InvalidInputError` for what cannot be right, before anything is served."""
        if sum(one is not None for one in (self.url, self.command, self.query)) > 1:
            raise InvalidInputError("allowed: one of --probe, --probe-command and --probe-sql, found several")
        if self.events is not None and self.count is not None:
            raise InvalidInputError("allowed: one of --probe-events and --probe-count, found both")
        if (self.sql is None) != (self.query is None):
            raise InvalidInputError("allowed: both --probe-sql and --probe-query or neither, found one")
        if self.url is None and self.command is None and (self.events or self.count):
            raise InvalidInputError(
                "--probe-events and --probe-count have no effect alone, allowed: with --probe or --probe-command"
            )
        if self.url is None and self.command is None and self.query is None and self.fields:
            raise InvalidInputError(
                "--probe-fields has no effect alone, allowed: with --probe, --probe-command or --probe-sql"
            )
        if self.url is not None:
            with naming("--probe"):
                parse_address(self.url)
            in_braces(self.url, "--probe")
        if self.command is not None:
            command_placeholders(runnable(self.command, "--probe-command"), "--probe-command")
        if self.query is not None:
            query_placeholders(self.query, "--probe-query")
        for option, expression in (("--probe-events", self.events), ("--probe-count", self.count)):
            if expression is not None:
                with naming(option):
                    check_jmespath(expression)


class ConsumerProbe(msgspec.Struct, frozen=True, kw_only=True):
    """A probe, and how its readings are compared."""

    shown: str
    """The URL, the command or the kind of database, without what may be secret."""
    probe: StoreProbe
    transport: WireTransport
    """Carries the requests of the probe."""
    options: ProbeOptions

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields that the probe reports; empty: all."""
        return self.options.fields

    async def aclose(self) -> None:
        """Close the connections of the probe, at the end of the server."""
        close_probe(self.probe)
        await self.transport.aclose()


def consumer_probe(
    options: ProbeOptions, transport: WireTransport, shapes: Sequence[Shape], *, timeout: int
) -> ConsumerProbe | None:
    """Return the probe that options describe, if they do. `timeout` is in milliseconds.

    `shapes` say to which fields the columns of a query belong. Raises `InvalidInputError` as `ProbeOptions.check` does.
    """
    options.check()
    probe = probe_of(options, transport, shapes, timeout=timeout)
    if probe is None:
        return None
    return ConsumerProbe(shown=_shown(options), probe=probe, transport=transport, options=options)


def probe_of(
    options: ProbeOptions, transport: WireTransport, shapes: Sequence[Shape], *, timeout: int
) -> StoreProbe | None:
    """Return a probe that knows nothing of the consumer yet, as `make_probe` does."""
    return make_probe(
        transport,
        url=options.url,
        command=options.command,
        sql=options.sql,
        query=options.query,
        events=options.events,
        count=options.count,
        shapes=shapes,
        timeout=timeout,
    )


def _shown(options: ProbeOptions) -> str:
    if options.url is not None:
        return shown_url(options.url)
    if options.command is not None:
        return f"command {parsed(options.command)[0]}"
    return f"query of {(options.sql or '').partition(':')[0]}"
