"""The field that all operations of the vendor's API share."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mockcampaign.server.http.request_fields import Id, about


class ClientFields(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The field in every path of the vendor's API."""

    client_id: Annotated[Id, about("Id of the client.")]
