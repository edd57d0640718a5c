"""Operations on the API's own users, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any

from mockcampaign.errors import InvalidInputError
from mockcampaign.policy import PASSWORD_DELAY
from mockcampaign.server.http.operation import Call, Operation
from mockcampaign.server.http.request import header
from mockcampaign.server.http.request_fields import SingleLine, about
from mockcampaign.server.vendor_api.client_fields import ClientFields


class RotatePasswordForm(ClientFields, frozen=True, kw_only=True):
    """A new password."""

    new_password: Annotated[SingleLine, about("The new password (its name and place are assumed).")]


def _rotate(call: Call, form: RotatePasswordForm) -> None:
    users, now = call.served.users, call.campaign.now
    user = users.authenticated(form.client_id, header(call.headers, b"authorization"), now)
    assert user is not None, "the API admits users only"
    if not form.new_password:
        raise InvalidInputError("newPassword: is empty, allowed: text")
    users.rotate(form.client_id, user, form.new_password, now + PASSWORD_DELAY)


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="rotatePassword",
        title="Rotate the password of the authenticated user",
        description="The new password is valid some minutes later (assumed: 5 minutes of the campaign's clock). Until "
        "then the old one is (assumed).",
        tag="Users",
        method="POST",
        path="/users/rotatepassword",
        fields=RotatePasswordForm,
        success=202,
        success_description="The password will be rotated.",
        handle=_rotate,
    ),
)
