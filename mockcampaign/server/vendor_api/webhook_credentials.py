"""Credentials of a webhook as the vendor's API accepts and names them."""

from __future__ import annotations

from typing import Any, Literal, Self, assert_never, get_args

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import Authentication, BasicAuthentication, KeyAuthentication, NoAuthentication
from mockcampaign.server.http.request_fields import CONTROL, CustomField
from mockcampaign.transport.address import encode_headers

AuthenticationType = Literal["none", "basicAuth", "keyAuth"]

FORMS = (
    '{"type":"none"}, {"type":"basicAuth","userName":"…","password":"…"} or '
    '{"type":"keyAuth","key":"…","passphrase":"…"}'
)

_KINDS: dict[object, type[msgspec.Struct]] = {kind.__struct_config__.tag: kind for kind in get_args(Authentication)}


class AuthenticationText(CustomField[Authentication]):
    """Authentication as JSON text. No message repeats a value, which may be a secret."""

    __slots__ = ()

    @classmethod
    def read(cls, raw: object) -> Self:
        text = cls.text(raw)
        try:
            found = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            raise InvalidInputError(f"is not JSON, allowed: {FORMS}") from None
        return cls(_described(found))

    @classmethod
    def allowed(cls) -> str:
        return FORMS

    @classmethod
    def schema(cls) -> dict[str, Any]:
        return {"type": "string"}


class AuthenticationObject(CustomField[Authentication]):
    """Authentication as a JSON object. No message repeats a value, which may be a secret."""

    __slots__ = ()

    @classmethod
    def read(cls, raw: object) -> Self:
        return cls(_described(raw))

    @classmethod
    def allowed(cls) -> str:
        return FORMS

    @classmethod
    def schema(cls) -> dict[str, Any]:
        return {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"type": {"const": name}}
                    | {field.encode_name: {"type": "string"} for field in msgspec.structs.fields(kind)},
                    "required": ["type", *(field.encode_name for field in msgspec.structs.fields(kind))],
                    "additionalProperties": False,
                }
                for name, kind in _KINDS.items()
            ],
            "examples": [{"type": "none"}],
        }


def basic_authentication(user_name: str, password: str) -> BasicAuthentication:
    """Return the credentials. Raises `InvalidInputError` if HTTP Basic cannot carry them (RFC 7617)."""
    if not user_name or ":" in user_name:
        raise InvalidInputError("the user name is empty or has a colon, which HTTP Basic cannot carry")
    if CONTROL.search(user_name) or CONTROL.search(password):
        raise InvalidInputError("the user name or the password holds control characters")
    return BasicAuthentication(user_name, password)


def authentication_type(authentication: Authentication) -> AuthenticationType:
    """Return the type's name in requests and responses."""
    match authentication:
        case NoAuthentication():
            return "none"
        case BasicAuthentication():
            return "basicAuth"
        case KeyAuthentication():
            return "keyAuth"
    assert_never(authentication)


def _described(found: object) -> Authentication:
    """Return the authentication that decoded JSON describes. Raises `InvalidInputError` with the allowed forms."""
    name = found.get("type") if isinstance(found, dict) else None
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(found, dict):
        raise InvalidInputError(f"has no known type, allowed: {FORMS}")
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    for name in names:
        if not isinstance(found.get(name), str):
            raise InvalidInputError(f"{name} is missing or not text, allowed: {FORMS}")
    if len(found) > 1 + len(names):
        raise InvalidInputError(f"has an unknown field, allowed: {FORMS}")
    return _checked(msgspec.convert(found, Authentication))


def _checked(authentication: Authentication) -> Authentication:
    match authentication:
        case NoAuthentication():
            return authentication
        case BasicAuthentication(user_name=user_name, password=password):
            return basic_authentication(user_name, password)
        case KeyAuthentication(key=key, passphrase=passphrase):
            if not key or not passphrase:
                raise InvalidInputError(f"the key or the passphrase is empty, allowed: {FORMS}")
            encode_headers(((key, passphrase),))
            return authentication
    assert_never(authentication)
