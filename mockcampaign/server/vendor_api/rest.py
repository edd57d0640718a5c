"""The vendor's REST API: who may call it, and how it answers."""

from __future__ import annotations

from typing import Any

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.server.http.api import Api
from mockcampaign.server.http.call import JSON, VENDOR_JSON, Call, RequestRefusedError
from mockcampaign.server.http.fields import Integer
from mockcampaign.server.http.operations import Parameter
from mockcampaign.server.served_campaign import ServedCampaign
from mockcampaign.server.vendor_api import smartcampaigns, webhooks

CLIENT = Parameter(name="clientId", kind=Integer(), description="Id of the client.", place="path", required=True)


class RestError(msgspec.Struct, frozen=True, rename="camel"):
    """Why a request was refused, in the form that the vendor's own client reads."""

    http_status_code: int
    error_message: str
    violations: list[str]
    """One for each field that is wrong, in the form `field: what, and what would be allowed`."""


def _admitted(served: ServedCampaign, call: Call) -> dict[str, Any]:
    try:
        client_id = CLIENT.kind.read(call.path["clientId"])
    except InvalidInputError as error:
        raise RequestRefusedError(400, "1 field cannot be accepted", (f"clientId: {error}",)) from None
    user = served.users.authenticated(client_id, call.header(b"authorization"))
    return {"clientId": client_id, "user": user}


def _error_body(refused: RequestRefusedError) -> bytes:
    return msgspec.json.encode(RestError(refused.status, refused.message, list(refused.violations)))


def _content_type(call: Call) -> str:
    return VENDOR_JSON if VENDOR_JSON in call.header(b"accept").lower() else JSON


API = Api(
    prefix="/rest/{clientId}",
    operations=(*webhooks.OPERATIONS, *smartcampaigns.OPERATIONS),
    parameters=(CLIENT,),
    failures={
        400: "A field is wrong.",
        401: "The credentials are missing, or are not valid for this client.",
        403: "The call came from another site, or its Host is none of this server's names.",
        413: "The body is too long.",
        415: "The body is not a form.",
    },
    error=RestError,
    media_types=(JSON, VENDOR_JSON),
    secured=True,
    admit=_admitted,
    error_body=_error_body,
    content_type=_content_type,
)
