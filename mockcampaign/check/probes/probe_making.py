"""Makes the probe that options describe, and closes what was made for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mockcampaign.check.probes.sql_probe import SqlProbe
from mockcampaign.check.probes.store_probe import CommandProbe, StoreProbe, UrlProbe
from mockcampaign.judging.consumer_store import WHOLE, Probe
from mockcampaign.shape.shape import Shape
from mockcampaign.transport import Transport

if TYPE_CHECKING:
    from mockcampaign.check.probes.sql_probe import Engine


def make_probe(
    transport: Transport,
    *,
    url: str | None = None,
    command: str | None = None,
    sql: Engine | str | None = None,
    query: str | None = None,
    events: str | None = None,
    count: str | None = None,
    shapes: Sequence[Shape] = (),
    timeout: int,
) -> StoreProbe | None:
    """Return the probe, or None without one. Its end is `close_probe`. `timeout` is in milliseconds.

    `shapes` say to which fields the columns of a query belong. A database need not exist yet.
    """
    selected = None if count is not None else events or WHOLE
    if url is not None:
        return UrlProbe(Probe(url=url, events=selected, count=count), transport, timeout=timeout)
    if command is not None:
        return CommandProbe(command, events=selected, count=count, timeout=timeout)
    if sql is not None and query is not None:
        return SqlProbe(sql, query, shapes, timeout=timeout)
    return None


def close_probe(probe: StoreProbe | None) -> None:
    """Close what only the probe itself uses. The transport is the caller's."""
    if isinstance(probe, SqlProbe):
        probe.close()
