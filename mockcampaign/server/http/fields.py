"""Kinds of request fields: how each is read from text, and how the OpenAPI document describes it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Protocol

import msgspec

from mockcampaign.durations import DURATION_SCHEMA, parse_duration
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import Authentication, BasicAuthentication, KeyAuthentication, NoAuthentication
from mockcampaign.policy import INT64_MAX
from mockcampaign.transport.address import encode_headers, parse_address

INT32_MAX = 2**31 - 1

DESCRIBED_DURATION_SCHEMA: dict[str, Any] = {
    **DURATION_SCHEMA,
    "description": "A duration such as 500ms, 90s, 10m, 2h, 3d or 1d12h.",
    "examples": ["10m"],
}
Duration = Annotated[str, msgspec.Meta(extra_json_schema=DESCRIBED_DURATION_SCHEMA)]
"""Only described here; `duration` reads it, whose message says more than a pattern."""

PositiveId = Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX, extra_json_schema={"format": "int64"})]
"""Types of fields in a JSON body."""


def duration(name: str, text: str) -> int:
    """Milliseconds of the field of that name. Raises `InvalidInputError`, with the name."""
    try:
        return parse_duration(text)
    except InvalidInputError as error:
        raise InvalidInputError(f"{name}: {error}") from None


TEXT_LENGTH_MAX = 2_000
"""Most characters of a text or URL. Ours: nobody documents one."""

_INTEGER = re.compile(r"-?[0-9]{1,30}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Kind(Protocol):
    """Reads one field."""

    def read(self, text: str) -> Any:
        """The value. Raises `InvalidInputError` with what would be allowed; it never repeats a secret."""
        ...

    def allowed(self) -> str:
        """What a value may be, in a few words."""
        ...

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the field."""
        ...


class Integer(msgspec.Struct, frozen=True):
    """A whole number within bounds."""

    minimum: int = 1
    maximum: int = INT64_MAX

    def read(self, text: str) -> int:
        """Decimal digits."""
        number = int(text) if _INTEGER.fullmatch(text) else None
        if number is None or not self.minimum <= number <= self.maximum:
            raise InvalidInputError(f"{shortened(text)} is out of range, allowed: {self.allowed()}")
        return number

    def allowed(self) -> str:
        """Its bounds."""
        return f"a whole number from {self.minimum} to {self.maximum}"

    def schema(self) -> dict[str, Any]:
        """With `int32` where the vendor's own description says so."""
        return {
            "type": "integer",
            "format": "int32" if self.maximum <= INT32_MAX else "int64",
            "minimum": self.minimum,
            "maximum": self.maximum,
        }


class Choice(msgspec.Struct, frozen=True):
    """One of several words, spelled exactly so."""

    words: tuple[str, ...]

    def read(self, text: str) -> str:
        """The word itself."""
        if text not in self.words:
            raise InvalidInputError(f"{shortened(text)} is unknown, allowed: {self.allowed()}")
        return text

    def allowed(self) -> str:
        """The words."""
        return ", ".join(self.words)

    def schema(self) -> dict[str, Any]:
        """An enumeration."""
        return {"type": "string", "enum": list(self.words)}


class Text(msgspec.Struct, frozen=True):
    """One line of text. What it says may be a secret, so no message repeats it."""

    length_max: int = TEXT_LENGTH_MAX

    def read(self, text: str) -> str:
        """The text itself."""
        if len(text) > self.length_max:
            raise InvalidInputError(f"is longer than {self.length_max} characters")
        if _CONTROL.search(text):
            raise InvalidInputError(f"holds control characters, allowed: {self.allowed()}")
        return text

    def allowed(self) -> str:
        """Any words."""
        return "one line of text"

    def schema(self) -> dict[str, Any]:
        """The pattern excludes control characters."""
        return {"type": "string", "maxLength": self.length_max, "pattern": r"^[^\u0000-\u001f\u007f]*$"}


class TargetUrl(msgspec.Struct, frozen=True):
    """Where a webhook sends to."""

    def read(self, text: str) -> str:
        """The URL itself."""
        if len(text) > TEXT_LENGTH_MAX:
            raise InvalidInputError(f"is longer than {TEXT_LENGTH_MAX} characters")
        parse_address(text)
        return text

    def allowed(self) -> str:
        """As `parse_address` says it, too."""
        return "http(s)://host[:port]/path"

    def schema(self) -> dict[str, Any]:
        """The pattern is a part of what is checked."""
        return {
            "type": "string",
            "format": "uri",
            "maxLength": TEXT_LENGTH_MAX,
            "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://",
            "example": "http://127.0.0.1:8000/hook",
        }


class _None(msgspec.Struct, tag="none", forbid_unknown_fields=True):
    pass


class _Basic(msgspec.Struct, tag="basicAuth", rename="camel", forbid_unknown_fields=True):
    user_name: Annotated[str, msgspec.Meta(min_length=1)]
    password: str


class _Key(msgspec.Struct, tag="keyAuth", forbid_unknown_fields=True):
    key: Annotated[str, msgspec.Meta(min_length=1)]
    passphrase: Annotated[str, msgspec.Meta(min_length=1)]


AUTHENTICATION_FORMS = (
    '{"type":"none"}, {"type":"basicAuth","userName":"…","password":"…"} or '
    '{"type":"keyAuth","key":"…","passphrase":"…"}'
)


class AuthenticationText(msgspec.Struct, frozen=True):
    """The webhook's authentication as JSON text."""

    def read(self, text: str) -> Authentication:
        """The authentication it describes."""
        try:
            found = msgspec.json.decode(text, type=_None | _Basic | _Key)
        except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
            # Neither kind of message repeats a value.
            raise InvalidInputError(f"{_first_line(error)}, allowed: {self.allowed()}") from None
        match found:
            case _Basic():
                return basic_authentication(found.user_name, found.password)
            case _Key():
                encode_headers(((found.key, found.passphrase),))
                return KeyAuthentication(found.key, found.passphrase)
            case _:
                return NoAuthentication()

    def allowed(self) -> str:
        """Its three forms."""
        return AUTHENTICATION_FORMS

    def schema(self) -> dict[str, Any]:
        """Its three forms stand in the description."""
        return {"type": "string", "description": f"JSON text: {AUTHENTICATION_FORMS}"}


def basic_authentication(user_name: str, password: str) -> BasicAuthentication:
    """Raises `InvalidInputError` for what HTTP Basic cannot carry (RFC 7617)."""
    if ":" in user_name:
        raise InvalidInputError("user name holds a colon, which HTTP Basic cannot carry")
    if _CONTROL.search(user_name) or _CONTROL.search(password):
        raise InvalidInputError("user name or password holds control characters")
    return BasicAuthentication(user_name, password)


def shortened(text: str) -> str:
    """The text as a message may quote it."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


AuthenticationType = Literal["none", "basicAuth", "keyAuth"]
