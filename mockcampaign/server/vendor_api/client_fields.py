"""Fields and types that all operations of the vendor's API share."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mockcampaign.server.http.fields import Id, about

Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""ISO 8601 in UTC."""
AnswerId = Annotated[int, msgspec.Meta(extra_json_schema={"format": "int64"})]


class ClientFields(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The field in every path of the vendor's API."""

    client_id: Annotated[Id, about("Id of the client.")]
