"""The probe by which a server asks its consumer for the events that it has stored."""

from __future__ import annotations

import msgspec

from mockcampaign.check.probes.run_command import parsed, runnable
from mockcampaign.check.probes.store_probe import CommandProbe, StoreProbe, UrlProbe, command_placeholders
from mockcampaign.errors import InvalidInputError, naming
from mockcampaign.judging.consumer_store import Probe, check_jmespath
from mockcampaign.masking import shown_url
from mockcampaign.shape.placeholders import in_braces
from mockcampaign.transport.address import parse_address
from mockcampaign.transport.wire import WireTransport


class ProbeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where the consumer reports what it has stored: at a URL or by a command, if at all."""

    url: str | None = None
    command: str | None = None
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
        if self.url is not None and self.command is not None:
            raise InvalidInputError("allowed: one of --probe and --probe-command, found both")
        if self.events is not None and self.count is not None:
            raise InvalidInputError("allowed: one of --probe-events and --probe-count, found both")
        if self.url is None and self.command is None and (self.events or self.count or self.fields):
            raise InvalidInputError(
                "--probe-events, --probe-count and --probe-fields have no effect alone, allowed: with --probe or "
                "--probe-command"
            )
        if self.url is not None:
            with naming("--probe"):
                parse_address(self.url)
            in_braces(self.url, "--probe")
        if self.command is not None:
            command_placeholders(runnable(self.command, "--probe-command"), "--probe-command")
        for option, expression in (("--probe-events", self.events), ("--probe-count", self.count)):
            if expression is not None:
                with naming(option):
                    check_jmespath(expression)


class ConsumerProbe(msgspec.Struct, frozen=True, kw_only=True):
    """A probe, and how its readings are compared."""

    shown: str
    """The URL or the command, without what may be secret."""
    probe: StoreProbe
    transport: WireTransport
    """Carries the requests of the probe; closed at the end of the server."""
    fields: tuple[str, ...] = ()
    """Fields that the probe reports; empty: all."""


def consumer_probe(options: ProbeOptions, transport: WireTransport, *, timeout: int) -> ConsumerProbe | None:
    """Return the probe that options describe, if they do. `timeout` is in milliseconds.

    Raises `InvalidInputError` as `ProbeOptions.check` does.
    """
    options.check()
    events = None if options.count is not None else options.events or "@"
    if options.url is not None:
        probe = Probe(url=options.url, events=events, count=options.count)
        asked, shown = UrlProbe(probe, transport, timeout=timeout), shown_url(options.url)
        return ConsumerProbe(shown=shown, probe=asked, transport=transport, fields=options.fields)
    if options.command is not None:
        command = CommandProbe(options.command, events=events, count=options.count, timeout=timeout)
        shown = f"command {parsed(options.command)[0]}"
        return ConsumerProbe(shown=shown, probe=command, transport=transport, fields=options.fields)
    return None
