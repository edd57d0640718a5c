"""Operations: one table row each, from which the routes, the checks of requests and the OpenAPI document are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal

import msgspec

from mockcampaign.policy import Policy
from mockcampaign.server.http.request import FORM, Headers, RequestRejectedError, Values
from mockcampaign.server.http.request_fields import Fields, NoFields, struct_fields
from mockcampaign.server.served_campaign import PacedCampaign, ServedCampaign

CONTROL_TAG = "Control"
"""Tag of the double's own operations in the OpenAPI document."""

INTERRUPTIONS = {
    409: "The campaign was reset before the call was carried out.",
    503: "The server ends, its time stands still, or the clock file cannot be written.",
}
"""Failures of operations that wait."""

Place = Literal["query", "form", "json"]


class Call(msgspec.Struct, frozen=True):
    """A request as a handler sees it, besides its fields."""

    served: ServedCampaign
    campaign: PacedCampaign
    """The campaign at the time of the call: a reset during the call begins another one."""
    method: str
    headers: Headers
    scheme: str = "http"
    path: str = ""
    """Path of the request, as it was sent."""
    query: bytes = b""
    """Query of the request, as it was sent."""


class OtherSuccess(msgspec.Struct, frozen=True):
    """The body of a response whose status is another success than the operation's usual one."""

    status: int
    body: object


class UnknownPath(msgspec.Struct, frozen=True):
    """A path that no operation has, as far as it may be shown: the rest may name a person."""

    client_id: int | None
    shown: str


class Operation(msgspec.Struct, Generic[Fields], frozen=True, kw_only=True):
    """One method of one path.

    Fields named in the path are read from there. The others are in the query of a GET or DELETE, and in the body of
    any other method.
    """

    id: str
    title: str
    description: str = ""
    tag: str
    method: str
    path: str
    fields: type[Fields]
    success: int = 200
    success_description: str
    other_successes: Mapping[int, str] = {}
    """Further statuses of success, whose responses have the same type."""
    body_type: str | None = None
    """Media type of the request's body where it differs from that of the API."""
    response: Any = None
    """Type of the response's body; None if it has none."""
    media_type: str | None = None
    """Media type of a response that `handle` makes whole, where it differs from that of the API."""
    is_long: bool = False
    """Whether the response may be so long that it is not indented."""
    failures: Mapping[int, str] = {}
    """Failures of this operation besides those of every operation of the API."""
    at_once_max: Callable[[Policy], int] | None = None
    """Return how many calls of all operations with this function a client may make at once; None: any number."""
    handle: Callable[[Call, Fields], Any]
    """Carry the operation out; returns the response's body, or an awaitable of it."""

    def in_path(self, api: Api) -> tuple[str, ...]:
        """Return the names of the fields in the path."""
        return tuple(re.findall(r"{(\w+)}", api.prefix + self.path))

    def place(self, api: Api) -> Place | None:
        """Return the place of the fields besides those in the path; None if there are no others."""
        names = {field.encode_name for field in struct_fields(self.fields)}
        if (names and names <= set(self.in_path(api))) or self.fields is NoFields:
            return None
        if self.method in ("GET", "DELETE"):
            return "query"
        return "form" if (self.body_type or api.body_type) == FORM else "json"


def no_such_path(call: Call, path: str) -> RequestRejectedError:
    """Return the error for a path that does not exist."""
    return RequestRejectedError(404, "no such path; /docs lists all operations")


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """Operations under one prefix that share who may call them and how they fail."""

    prefix: str
    operations: tuple[Operation[Any], ...]
    body_type: str
    """Media type of request bodies: a form or JSON."""
    media_types: tuple[str, ...]
    """Media types of responses."""
    secured: bool
    """Whether callers need credentials."""
    failures: Mapping[int, str]
    """Failures of every operation; 413 and 415 only if it has a body, 400 only if it has fields."""
    ignores_unknown_parameters: bool
    """Whether a query may have parameters that the operation does not know."""
    error: Any
    """Type of a failure's body."""
    find_missing: Callable[[Call, str], RequestRejectedError]
    """Return the error for a path that no operation has; it may raise that of a caller who may not call."""
    admit: Callable[[Call, Values], None]
    """Raises `RequestRejectedError` unless the caller may call; it is given the fields in the path."""
    describe_error: Callable[[RequestRejectedError], object]
    """Return the body of a failure."""
    choose_media_type: Callable[[Headers], str]
    """Return the media type of the response to a request."""
    indents: bool = False
    """Whether people read the responses in a terminal, so that their JSON is indented, but for long ones."""
    describe_path: Callable[[str], UnknownPath] | None = None
    """Describe a path that no operation has, for the journal, in which each call of the API is noted.

    None: calls are not noted.
    """
