"""Mistakes, each of which a review could pass: one module for each family, a table at the end of each module."""

from __future__ import annotations

from collections.abc import Mapping

from mockcampaign.samples.bugs import (
    acknowledge,
    authentication,
    batch,
    failure,
    handmade,
    http,
    identity,
    order,
    payload,
    poison,
    redelivery,
)
from mockcampaign.samples.bugs.bug import Bug

BUGS: Mapping[str, Bug] = {
    **acknowledge.BUGS,
    **batch.BUGS,
    **redelivery.BUGS,
    **identity.BUGS,
    **poison.BUGS,
    **order.BUGS,
    **failure.BUGS,
    **payload.BUGS,
    **authentication.BUGS,
    **http.BUGS,
    **handmade.BUGS,
}
"""All of them by their names."""
