"""Who may call the control API and open the live page of a server that others can reach."""

from __future__ import annotations

import base64
import binascii
import hmac
import re

from mockcampaign.errors import InvalidInputError
from mockcampaign.server.http.request import Headers, RequestRejectedError, header

HEALTH_PATH = "/health"
"""The only control operation for everybody: orchestrators ask for it, and it shows no more than a version."""

_TOKEN = re.compile(r"[\x21-\x7e]{8,200}")


class ControlAccess:
    """Admits calls that have the token: as bearer token, or as password of any user, which browsers ask for."""

    def __init__(self, token: str | None) -> None:
        """Without a token, every call is admitted. Raises `InvalidInputError` for one that no header could carry."""
        if token is not None and not _TOKEN.fullmatch(token):
            raise InvalidInputError("not a token, allowed: 8 to 200 letters, digits and other visible ASCII characters")
        self._token = None if token is None else token.encode()

    @property
    def needs_token(self) -> bool:
        """Whether calls need a token."""
        return self._token is not None

    def problem(self, headers: Headers) -> RequestRejectedError | None:
        """Return why a call is rejected; None if it is not."""
        if self._token is None or hmac.compare_digest(_secret(header(headers, b"authorization")), self._token):
            return None
        return RequestRejectedError(
            401,
            "the control API and the live page need the token that the server printed at its start, allowed: "
            "Authorization: Bearer TOKEN, or the token as password of any user",
            headers={"WWW-Authenticate": 'Basic realm="mockcampaign control", charset="UTF-8"'},
        )


def _secret(authorization: str) -> bytes:
    scheme, _, rest = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip().encode("latin-1")
        case "basic":
            try:
                return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
            except (binascii.Error, ValueError):
                return b""
        case _:
            return b""
