"""Operations on the users of the REST API, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mockcampaign.policy import PASSWORD_DELAY
from mockcampaign.server.http.operation import CONTROL_TAG, Call, Operation
from mockcampaign.server.http.request import RequestRejectedError
from mockcampaign.server.http.request_fields import Duration, Id


class RotationRequest(msgspec.Struct, frozen=True, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """A new password of a user of the REST API."""

    client_id: Id | None = None
    """Id of the client (default: the first one)."""
    username: str | None = None
    """Name of the user (default: the client's first one)."""
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    after: Duration | None = None
    """Virtual time until the password is valid, and the old one is not (default: 5m)."""


def _rotate(call: Call, request: RotationRequest) -> None:
    users = call.served.users
    client_id = users.client_ids[0] if request.client_id is None else request.client_id
    user = users.named(client_id, request.username)
    if user is None:
        raise RequestRejectedError(404, "no such user of this client")
    after = PASSWORD_DELAY if request.after is None else request.after.value
    users.rotate(client_id, user, request.password, call.campaign.now + after)


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="rotateUserPassword",
        title="Rotate a password of the REST API",
        description="The new password is valid after some time of the campaign's clock, and the old one until then. A "
        "reset restores the password of the start.",
        tag=CONTROL_TAG,
        method="POST",
        path="/users/rotate",
        fields=RotationRequest,
        success=204,
        success_description="The password will be rotated.",
        failures={404: "The client has no such user."},
        handle=_rotate,
    ),
)
