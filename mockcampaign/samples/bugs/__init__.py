"""Bugs that could pass a review: one module for each family, with a table at its end."""

from __future__ import annotations

from collections.abc import Mapping

from mockcampaign.samples.bugs import (
    acknowledgement,
    authentication,
    bad_event,
    batch,
    durability,
    http,
    http_server,
    identity,
    order,
    payload,
    redelivery,
    resilience,
)
from mockcampaign.samples.bugs.bug import Bug

BUGS: Mapping[str, Bug] = {
    **acknowledgement.BUGS,
    **batch.BUGS,
    **redelivery.BUGS,
    **identity.BUGS,
    **bad_event.BUGS,
    **order.BUGS,
    **resilience.BUGS,
    **durability.BUGS,
    **payload.BUGS,
    **authentication.BUGS,
    **http.BUGS,
    **http_server.BUGS,
}
"""All bugs by id."""
