"""Request fields: a frozen struct for each operation, read field by field, so that an error names what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec.inspect import Type, type_info

from mockcampaign.durations import DURATION_SCHEMA, parse_duration
from mockcampaign.errors import InvalidInputError
from mockcampaign.policy import INT64_MAX
from mockcampaign.server.http.request import Repeated, wrong_fields
from mockcampaign.text import meant, short
from mockcampaign.transport.address import parse_address

INT32_MAX = 2**31 - 1
TEXT_LENGTH_MAX = 2_000
"""Maximum number of characters of a text or URL. Ours: the vendor documents none."""

HINTS_MAX = 10
"""Maximum number of unknown fields for which an error suggests a known one."""

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class NoFields(msgspec.Struct, frozen=True):
    """The fields of an operation that has none."""


Fields = TypeVar("Fields")
"""Type of an operation's fields: a frozen struct, or a custom field that is the whole body."""


def about(description: str, **schema: object) -> msgspec.Meta:
    """Return the annotation that describes a field, with more of its JSON Schema."""
    return msgspec.Meta(description=description, extra_json_schema=schema or None)


def between(minimum: int, maximum: int) -> msgspec.Meta:
    """Return the annotation of a whole number's bounds, with the format that the vendor's description gives it."""
    size = "int32" if maximum <= INT32_MAX else "int64"
    return msgspec.Meta(ge=minimum, le=maximum, extra_json_schema={"format": size})


Id = Annotated[int, between(1, INT64_MAX)]


SingleLine = Annotated[
    str,
    # The end of the pattern keeps Python from ignoring a line break there.
    msgspec.Meta(max_length=TEXT_LENGTH_MAX, pattern=r"^[^\u0000-\u001f\u007f]*$(?!\n)"),
]
"""One line of text."""

Value = TypeVar("Value")


class CustomField(Generic[Value]):
    """A type of field that reads and describes itself; `value` is what was read."""

    __slots__ = ("value",)

    is_repeatable: ClassVar[bool] = False
    """Whether a form or query may contain the field several times."""

    def __init__(self, value: Value) -> None:
        self.value = value

    @classmethod
    def read(cls, raw: object) -> Self:
        """Return the field. Raises `InvalidInputError` with what is wrong and what is allowed."""
        raise NotImplementedError

    @classmethod
    def allowed(cls) -> str:
        """Say in a few words which values are allowed."""
        raise NotImplementedError

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the field as it is sent."""
        raise NotImplementedError

    @classmethod
    def text(cls, raw: object) -> str:
        """Return the raw value if it is text. Raises `InvalidInputError` if it is not."""
        if not isinstance(raw, str):
            raise InvalidInputError(f"{shown(raw)} is not text, allowed: {cls.allowed()}")
        return raw


class Duration(CustomField[int]):
    """A duration in milliseconds, sent as text such as `1d12h`."""

    __slots__ = ()

    @classmethod
    def read(cls, raw: object) -> Self:
        return cls(parse_duration(cls.text(raw)))

    @classmethod
    def allowed(cls) -> str:
        return "a duration such as 500ms, 90s, 10m, 2h, 3d or 1d12h"

    @classmethod
    def schema(cls) -> dict[str, Any]:
        return {**DURATION_SCHEMA, "description": f"{cls.allowed().capitalize()}.", "examples": ["10m"]}


class TargetUrl(CustomField[str]):
    """The URL that a webhook sends to. It may contain a password, so no message repeats it whole."""

    __slots__ = ()

    @classmethod
    def read(cls, raw: object) -> Self:
        text = cls.text(raw)
        if len(text) > TEXT_LENGTH_MAX:
            raise InvalidInputError(f"is longer than {TEXT_LENGTH_MAX} characters, which is the limit")
        parse_address(text)
        return cls(text)

    @classmethod
    def allowed(cls) -> str:
        return "http(s)://host[:port]/path"

    @classmethod
    def schema(cls) -> dict[str, Any]:
        # The pattern is a part of what is checked.
        return {
            "type": "string",
            "format": "uri",
            "maxLength": TEXT_LENGTH_MAX,
            "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://",
            "example": "http://127.0.0.1:8000/hook",
        }


class TextList(CustomField[tuple[str, ...]]):
    """Several texts, separated by commas, or one in each of several fields of the name."""

    __slots__ = ()
    is_repeatable = True

    @classmethod
    def read(cls, raw: object) -> Self:
        given = raw.texts if isinstance(raw, Repeated) else (cls.text(raw),)
        texts = [text for one in given for text in one.split(",")]
        if any(CONTROL.search(text) or len(text) > TEXT_LENGTH_MAX for text in texts):
            raise InvalidInputError(f"a text is too long or has several lines, allowed: {cls.allowed()}")
        return cls(tuple(stripped for text in texts if (stripped := text.strip())))

    @classmethod
    def allowed(cls) -> str:
        return "texts separated by commas"

    @classmethod
    def schema(cls) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^[^\u0000-\u001f\u007f]*$(?!\n)", "maxLength": TEXT_LENGTH_MAX}


class Numbers(CustomField[tuple[int, ...]]):
    """Several ids, separated by commas, or one in each of several fields of the name."""

    __slots__ = ()
    is_repeatable = True

    @classmethod
    def read(cls, raw: object) -> Self:
        given = raw.texts if isinstance(raw, Repeated) else (cls.text(raw),)
        texts = [text.strip() for one in given for text in one.split(",")]
        numbers = [int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) <= 19]
        if len(numbers) < len(texts) or not all(1 <= number <= INT64_MAX for number in numbers):
            raise InvalidInputError(f"not all are ids, allowed: {cls.allowed()}")
        return cls(tuple(numbers))

    @classmethod
    def allowed(cls) -> str:
        return f"whole numbers from 1 to {INT64_MAX}, separated by commas"

    @classmethod
    def schema(cls) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^[1-9][0-9]{0,17}(,[1-9][0-9]{0,17})*$", "example": "1,2"}


class Attributes(CustomField[dict[str, str]]):
    """Attributes of a recipient: one form field each, whose name is that of this field, a dot and the attribute's."""

    __slots__ = ()

    @classmethod
    def read(cls, raw: object) -> Self:
        if not isinstance(raw, dict) or not all(isinstance(text, str) for text in raw.values()):
            raise InvalidInputError(f"not a text for each attribute, allowed: {cls.allowed()}")
        return cls(raw)

    @classmethod
    def allowed(cls) -> str:
        return "one field for each attribute, given once"

    @classmethod
    def schema(cls) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": "string"}}


class Word(StrEnum):
    """A word of a fixed set, accepted in upper and lower case."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        wanted = value.lower() if isinstance(value, str) else value
        return next((word for word in cls if word.lower() == wanted), None)


class Flag(Word):
    """Yes or no."""

    TRUE = "true"
    FALSE = "false"


class Direction(Word):
    """The direction of a sorted list."""

    ASC = "ASC"
    DESC = "DESC"


_FIELDS: dict[type[msgspec.Struct], tuple[msgspec.structs.FieldInfo, ...]] = {}


def read_fields(kind: type[Fields], values: object) -> Fields:
    """Return the fields that the values describe.

    Raises `RequestRejectedError` with 400, which names every wrong field and what is allowed.
    """
    try:
        return msgspec.convert(values, kind, dec_hook=_read_custom)
    except (msgspec.ValidationError, InvalidInputError):
        # msgspec stops at the first wrong field, and names it only within its message.
        problems = _problems(kind, values, "")
        raise wrong_fields([f"{where}: {what}" if where else what for where, what in problems]) from None


def struct_fields(kind: type) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Return the fields of a struct; none for a custom field."""
    if not issubclass(kind, msgspec.Struct):
        return ()
    # msgspec compiles and evaluates each annotation anew, which was most of a server's start.
    if kind not in _FIELDS:
        _FIELDS[kind] = msgspec.structs.fields(kind)
    return _FIELDS[kind]


def is_number(kind: Any) -> bool:
    """Whether a field holds a whole number, which forms, queries and paths send as text."""
    return plain_type(kind) is int


def attribute_fields(kind: type) -> list[str]:
    """Return the names of the fields that have one form field for each attribute."""
    return [field.encode_name for field in struct_fields(kind) if plain_type(field.type) is Attributes]


def custom_schema(kind: type) -> dict[str, Any]:
    """Return the JSON Schema of a custom field. Raises `NotImplementedError` for any other type, as msgspec asks."""
    if not issubclass(kind, CustomField):
        raise NotImplementedError
    return kind.schema()


def shown(value: object) -> str:
    """Return the value as a message quotes it."""
    return repr(short(value)) if isinstance(value, str) else short(msgspec.json.encode(value).decode())


def _read_custom(kind: type, raw: object) -> object:
    if not issubclass(kind, CustomField):
        raise NotImplementedError
    return kind.read(raw)


def plain_type(kind: Any) -> Any:
    """Return the type without its annotations and without None."""
    inside = [one for one in get_args(kind) if one is not NoneType]
    return plain_type(inside[0]) if get_origin(kind) in (Annotated, Union, UnionType) else kind


def _problems(kind: Any, value: object, where: str) -> Iterator[tuple[str, str]]:
    """Return the place of each wrong part of a value, and what is wrong with it."""
    plain = plain_type(kind)
    can_repeat = isinstance(plain, type) and issubclass(plain, CustomField) and plain.is_repeatable
    if isinstance(value, Repeated) and not can_repeat:
        yield where, f"given {value.times} times, allowed: once"
        return
    if isinstance(value, dict) and isinstance(plain, type) and issubclass(plain, msgspec.Struct):
        wrong = list(_field_problems(plain, value, where))
        if wrong:
            yield from wrong
            return
    try:
        msgspec.convert(value, kind, dec_hook=_read_custom)
    except InvalidInputError as error:
        yield where, str(error)
    except msgspec.ValidationError:
        # Text may be a secret, and a list may name persons.
        is_private = (plain is str and isinstance(value, str)) or get_origin(plain) is list
        what = "not valid" if is_private else f"{shown(value)} is not valid"
        info = type_info(kind)
        hint = meant(value, _words(info)) if isinstance(value, str) else ""
        yield where or "the body", f"{what}{hint or ','} allowed: {_allowed(info)}"


def _field_problems(kind: type[msgspec.Struct], values: Mapping[str, object], where: str) -> Iterator[tuple[str, str]]:
    prefix = f"{where}." if where else ""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, field in fields.items():
        if name in values:
            yield from _problems(field.type, values[name], prefix + name)
        elif field.required:
            yield prefix + name, f"missing, allowed: {_allowed(type_info(field.type))}"
    if kind.__struct_config__.forbid_unknown_fields:
        allowed = ", ".join(fields)
        for number, name in enumerate(sorted(values.keys() - fields.keys())):
            # A body has room for so many unknown fields that a hint for each would hold up all other requests.
            hint = meant(name, fields) if number < HINTS_MAX else ""
            yield (
                prefix + (short(name) if name.isidentifier() else shown(name)),
                f"unknown field{hint or ','} allowed: {allowed}",
            )


def _words(info: Type) -> tuple[str, ...]:
    """Return the words that a type allows, if it allows only these."""
    match info:
        case msgspec.inspect.Metadata(type=inside):
            return _words(inside)
        case msgspec.inspect.UnionType(types=types):
            return tuple(word for one in types for word in _words(one))
        case msgspec.inspect.EnumType(cls=words):
            return tuple(map(str, words))
        case msgspec.inspect.LiteralType(values=words):
            return tuple(map(str, words))
        case _:
            return ()


def _allowed(info: Type) -> str:
    """Say in a few words which values a type allows."""
    match info:
        case msgspec.inspect.Metadata(type=inside):
            return _allowed(inside)
        case msgspec.inspect.UnionType(types=types):
            return _allowed(next(one for one in types if not isinstance(one, msgspec.inspect.NoneType)))
        case msgspec.inspect.IntType(ge=low, le=high):
            return f"a whole number from {low} to {high}"
        case msgspec.inspect.FloatType(ge=low, le=high):
            return "a number" if low is None and high is None else f"a number from {low:.15g} to {high:.15g}"
        case msgspec.inspect.StrType(max_length=longest):
            return "text" if longest is None else f"one line of text, up to {longest} characters"
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.EnumType(cls=words):
            return ", ".join(words)
        case msgspec.inspect.LiteralType(values=words):
            return ", ".join(str(word) for word in words)
        case msgspec.inspect.CustomType(cls=custom) if issubclass(custom, CustomField):
            return custom.allowed()
        case msgspec.inspect.StructType(fields=fields):
            return f"an object with the fields {', '.join(field.encode_name for field in fields)}"
        case msgspec.inspect.DictType():
            return "a JSON object"
        case msgspec.inspect.ListType(item_type=item):
            return f"a list, each {_allowed(item)}"
    raise AssertionError(f"no words for {info}")
