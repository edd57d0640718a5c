"""The double's own API: its operations, who may call them, and the form of its errors."""

from __future__ import annotations

import msgspec

from mockcampaign.server.control_api import (
    emit_operations,
    fault_operations,
    mail_operations,
    observe_operations,
    stored_operations,
    time_operations,
    user_operations,
    webhook_commands,
)
from mockcampaign.server.http.operation import Api, Call, no_such_path
from mockcampaign.server.http.request import FORM, JSON, Headers, RequestRejectedError, Values, content_type
from mockcampaign.server.verdicts import check_operations, expect_operations, run_operations, verdict_operations
from mockcampaign.text import short

PREFIX = "/__mockcampaign"

_FORM_TYPES = (FORM, "multipart/form-data", "text/plain")
"""Media types that a form on another site's page can send. A browser sends them without asking the server first (Fetch
standard, "CORS-safelisted request-header")."""


class ControlError(msgspec.Struct, frozen=True):
    """Why the server rejects a call, in one line."""

    error: str


def _admit(call: Call, path: Values) -> None:
    sent = content_type(call.headers)
    if sent in _FORM_TYPES and call.method == "POST":
        raise RequestRejectedError(415, f"Content-Type {short(sent)!r} is not accepted, allowed: {JSON}, or none")


def _describe_error(error: RequestRejectedError) -> ControlError:
    return ControlError("; ".join(error.violations) or error.message)


def _choose_media_type(headers: Headers) -> str:
    return JSON


API = Api(
    prefix=PREFIX,
    operations=(
        *observe_operations.OPERATIONS,
        *webhook_commands.OPERATIONS,
        *emit_operations.OPERATIONS,
        *mail_operations.OPERATIONS,
        *stored_operations.OPERATIONS,
        *time_operations.OPERATIONS,
        *fault_operations.OPERATIONS,
        *user_operations.OPERATIONS,
        *check_operations.OPERATIONS,
        *verdict_operations.OPERATIONS,
        *expect_operations.OPERATIONS,
        *run_operations.OPERATIONS,
    ),
    body_type=JSON,
    media_types=(JSON,),
    secured=False,
    failures={
        400: "A field is wrong.",
        401: "The server has a token, as it listens beyond loopback or was given one, and the call has not.",
        403: "The call came from another site, or its Host is not a name of this server.",
        413: "The body is too long.",
        415: "The body is not JSON.",
    },
    ignores_unknown_parameters=False,
    error=ControlError,
    find_missing=no_such_path,
    admit=_admit,
    describe_error=_describe_error,
    choose_media_type=_choose_media_type,
    indents=True,
)
