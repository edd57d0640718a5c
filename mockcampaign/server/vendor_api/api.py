"""The vendor's REST API: its operations, who may call them, and the form of its errors."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import msgspec

from mockcampaign.server.http.injected import CHALLENGE
from mockcampaign.server.http.operation import Api, Call, UnknownPath, no_such_path
from mockcampaign.server.http.request import FORM, JSON, Headers, RequestRejectedError, Values, header, number_or_text
from mockcampaign.server.http.request_fields import read_fields
from mockcampaign.server.vendor_api import (
    recipient_list_operations,
    recipient_operations,
    smart_campaign_operations,
    suppression_operations,
    transactional_mail_operations,
    user_operations,
    webhook_operations,
)
from mockcampaign.server.vendor_api.client_fields import ClientFields
from mockcampaign.text import short

VENDOR_JSON = "application/vnd.optivo.broadmail.v1+json"
"""The vendor's own media type for the same JSON; a response has it if the client accepts it."""
_ACCEPTED = VENDOR_JSON.encode()


class RestError(msgspec.Struct, frozen=True, rename="camel"):
    """Why the server rejects a request, in the form that the vendor's own client reads."""

    http_status_code: int
    error_message: str
    violations: list[str]
    """One for each wrong field, in the form `field: what, allowed: …`."""


def _admit(call: Call, path: Values) -> None:
    users, authorization = call.served.users, header(call.headers, b"authorization")
    if users.is_rotating:
        call.served.catch_up()
    elif users.remembered(path["clientId"], authorization) is not None:
        return
    # An unknown client gets the same response: who cannot log in learns nothing.
    if users.authenticated(read_fields(ClientFields, path).client_id, authorization, call.campaign.now) is None:
        raise RequestRejectedError(
            401,
            "no valid credentials for this client, allowed: Authorization: Basic base64(username:password)",
            headers=CHALLENGE,
        )


_PATH = re.compile(r"/rest/(?P<client_id>[^/]+)/(?P<area>[^/]+)(?P<rest>(?:/[^/]+)*)")


def _find_missing(call: Call, path: str) -> RequestRejectedError:
    """Return 501 for what the vendor may have and the double has not: a 404 would say that a thing does not exist."""
    found = _PATH.fullmatch(path)
    if found is None:
        return no_such_path(call, path)
    _admit(call, {"clientId": number_or_text(found["client_id"])})
    operation = f"{call.method} {_shown(found)}"
    call.served.note_unsupported(operation)
    return RequestRejectedError(501, f"{operation} is not an operation of this double; /docs lists those that it has")


def _describe_path(path: str) -> UnknownPath:
    found = _PATH.fullmatch(path)
    if found is None:
        return UnknownPath(None, "/…")
    client_id = number_or_text(found["client_id"])
    return UnknownPath(client_id if isinstance(client_id, int) else None, _shown(found))


def _shown(found: re.Match[str]) -> str:
    # The rest of the path may name a person.
    return f"/{short(quote(unquote(found['area']), safe=''))}{'/…' if found['rest'] else ''}"


def _describe_error(error: RequestRejectedError) -> RestError:
    return RestError(error.status, error.message, error.violations)


def _choose_media_type(headers: Headers) -> str:
    return VENDOR_JSON if _ACCEPTED in headers.get(b"accept", b"").lower() else JSON


API = Api(
    prefix="/rest/{clientId}",
    operations=(
        *webhook_operations.OPERATIONS,
        *user_operations.OPERATIONS,
        *smart_campaign_operations.OPERATIONS,
        *recipient_list_operations.OPERATIONS,
        *recipient_operations.OPERATIONS,
        *transactional_mail_operations.OPERATIONS,
        *suppression_operations.OPERATIONS,
    ),
    body_type=FORM,
    media_types=(JSON, VENDOR_JSON),
    secured=True,
    failures={
        400: "A field is wrong.",
        401: "The credentials are missing, or are not valid for this client.",
        403: "The call came from another site, or its Host is not a name of this server.",
        413: "The body is too long.",
        415: "The body is not a form.",
    },
    ignores_unknown_parameters=True,
    error=RestError,
    find_missing=_find_missing,
    admit=_admit,
    describe_error=_describe_error,
    choose_media_type=_choose_media_type,
    describe_path=_describe_path,
)
