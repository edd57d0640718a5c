"""Turns YAML nodes into typed values. Errors name file:line:column, what was found and what is allowed."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import types
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml

from mockcampaign.errors import InvalidInputError
from mockcampaign.scenario.language import nodes
from mockcampaign.scenario.language.annotations import (
    Bounded,
    Decoded,
    Interpolated,
    Keyed,
    OneOf,
    ParsedText,
    Secret,
    Shorthand,
    SingleValue,
    value_field,
    value_hint,
)
from mockcampaign.text import short, unknown

Value = TypeVar("Value")

Location = tuple[str | int, ...]
"""Path of a value in a document: keys and list indexes from the top."""

_YAML_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
    "timestamp": "a date",
}
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{")


class _Context(msgspec.Struct, frozen=True):
    """Properties that a value inherits from the values around it."""

    interpolated: bool = False
    secret: bool = False


_PLAIN = _Context()


class Document:
    """One YAML file and the places of its values. `problem` makes every error."""

    def __init__(
        self,
        path: Path,
        variant: nodes.Variant | None = None,
        *,
        variables: Mapping[str, str] = os.environ,
    ) -> None:
        """Read a `variant` of the file from `nodes.variants`, or the file as it is.

        `variables` are the values of `${NAME}`.
        """
        self.path = path
        self._variant = variant
        self._variables = variables
        self._marks: dict[Location, Any] = {}

    def problem(self, path: Location, message: str) -> InvalidInputError:
        """Return an error that points at the value, or at the nearest value around it."""
        while path and path not in self._marks:
            path = path[:-1]
        return self._problem_at(self._marks[path], message)

    def place(self, path: Location) -> str:
        """Return `file:line:column` of a value."""
        return nodes.place(self._marks[path])

    @property
    def given(self) -> str:
        """Values of the matrix as `name=value, …`; empty without a matrix."""
        return "" if self._variant is None else ", ".join(f"{k}={v}" for k, v in self._variant.given.items())

    def read(self, value_type: type[Value]) -> Value:
        """Return the document as a value of the type. Raises `InvalidInputError`."""
        node = nodes.compose(self.path, "a mapping") if self._variant is None else self._variant.node
        value: Value = self._convert(node, value_type, (), _PLAIN)
        return value

    def _problem_at(self, mark: Any, message: str) -> InvalidInputError:
        return nodes.problem_at(mark, f"{message} (with {self.given})" if self.given else message)

    def _convert(self, node: yaml.Node, hint: Any, path: Location, context: _Context) -> Any:
        self._marks[path] = node.start_mark
        if isinstance(hint, type):
            return self._of_class(node, hint, path, context)
        origin = get_origin(hint)
        if origin is Annotated:
            base, *marks = get_args(hint)
            for mark in marks:
                match mark:
                    case Interpolated():
                        context = msgspec.structs.replace(context, interpolated=True)
                    case Secret():
                        context = msgspec.structs.replace(context, secret=True)
                    case ParsedText(parse=parse):
                        return self._parsed(node, parse, mark.what, context)
                    case OneOf():
                        return self._one_of(node, mark, path, context)
                    case Keyed(what=what, default=default, types=special):
                        return self._mapping(node, what, default, special, path, context)
                    case Bounded(low=low, high=high):
                        return self._bounded(node, low, high)
                    case Decoded():
                        return self._decoded(node, mark, path)
                    case Shorthand(key=key):
                        return self._shorthand(node, base, key, path, context)
            return self._convert(node, base, path, context)
        if origin in (Union, types.UnionType):
            return self._union(node, get_args(hint), path, context)
        if origin is Literal:
            return self._choice(node, get_args(hint))
        if origin is dict:
            return self._mapping(node, "a mapping of names", get_args(hint)[1], {}, path, context)
        assert origin is tuple, hint
        return self._sequence(node, get_args(hint)[0], path, context)

    def _of_class(self, node: yaml.Node, value_type: type, path: Location, context: _Context) -> Any:
        if issubclass(value_type, SingleValue):
            name, hint = _single_field(value_type)
            return value_type(**{name: self._convert(node, hint, path, context)})
        if issubclass(value_type, msgspec.Struct):
            return self._struct(node, value_type, path, context)
        if issubclass(value_type, StrEnum):
            return value_type(self._choice(node, [member.value for member in value_type]))
        return self._scalar(node, value_type, context)

    def _shorthand(
        self, node: yaml.Node, hint: type[msgspec.Struct], key: str, path: Location, context: _Context
    ) -> msgspec.Struct:
        if isinstance(node, yaml.MappingNode):
            return self._struct(node, hint, path, context)
        if not isinstance(node, yaml.ScalarNode) or node.tag.endswith(":null"):
            allowed = f"{described(_fields_of(hint)[0][key])}, {described(hint)}"
            raise self._problem_at(node.start_mark, f"found {_found(node, context)}, allowed: {allowed}")
        return hint(**{key: self._convert(node, _fields_of(hint)[0][key], path, context)})

    def _scalar(self, node: yaml.Node, hint: type, context: _Context = _PLAIN) -> Any:
        expected = {str: "text", int: "a whole number", float: "a number such as 0.25", bool: "true or false"}[hint]
        kind = node.tag.rpartition(":")[2]
        if isinstance(node, yaml.ScalarNode):
            if hint is str and kind == "str":
                return self._interpolated(node) if context.interpolated else node.value
            if hint is int and kind == "int" and re.fullmatch(r"[-+]?[0-9_]+", node.value):
                with contextlib.suppress(ValueError):  # too many digits, or two underscores in a row
                    return int(node.value)
            if hint is float and kind in ("int", "float"):
                with contextlib.suppress(ValueError):
                    return float(node.value)
            if hint is bool and kind == "bool":
                return node.value.lower() in ("true", "yes", "on")
        quote = ", quote it" if hint is str and isinstance(node, yaml.ScalarNode) and kind != "null" else ""
        raise self._problem_at(node.start_mark, f"expected {expected}, found {_found(node, context)}{quote}")

    def _parsed(self, node: yaml.Node, parse: Callable[[str], Any], what: str, context: _Context) -> Any:
        if not isinstance(node, yaml.ScalarNode) or node.tag.endswith(":null"):
            raise self._problem_at(node.start_mark, f"expected {what}, found {_found(node, context)}")
        text = self._interpolated(node) if context.interpolated else node.value
        try:
            return parse(text)
        except InvalidInputError as error:
            raise self._problem_at(node.start_mark, str(error)) from None

    def _bounded(self, node: yaml.Node, low: int, high: int) -> int:
        number: int = self._scalar(node, int)
        if not low <= number <= high:
            raise self._problem_at(node.start_mark, f"{number} is out of range, allowed: {low} to {high}")
        return number

    def _decoded(self, node: yaml.Node, mark: Decoded, path: Location) -> Any:
        values = {}
        for key, value in self._pairs(node, mark.what):
            self._marks[(*path, key.value)] = value.start_mark
            values[key.value] = self._plain(value)
        try:
            return mark.decode(values)
        except InvalidInputError as error:
            raise self.problem((*path, getattr(error, "key", None) or ""), str(error)) from None

    def _plain(self, node: yaml.Node) -> str | int | float | bool:
        if not isinstance(node, yaml.ScalarNode) or node.tag.endswith(":null"):
            raise self._problem_at(node.start_mark, f"expected a plain value, found {_found(node)}")
        kind = node.tag.rpartition(":")[2]
        hint = {"int": int, "float": float, "bool": bool}.get(kind)
        value: str | int | float | bool = node.value if hint is None else self._scalar(node, hint)
        return value

    def _choice(self, node: yaml.Node, allowed: Collection[str]) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._problem_at(node.start_mark, f"expected one of {', '.join(allowed)}, found {_found(node)}")
        if node.value not in allowed:
            raise self._unknown(node, "value", allowed)
        value: str = node.value
        return value

    def _union(self, node: yaml.Node, hints: tuple[Any, ...], path: Location, context: _Context) -> Any:
        """Convert by the one alternative for the node's kind. No two alternatives are for one kind."""
        known = _alternatives(hints)
        match node:
            case yaml.MappingNode():
                kind = "mapping"
            case yaml.SequenceNode():
                kind = "list"
            case _:
                kind = node.tag.rpartition(":")[2]
                if kind not in known and kind != "null":
                    # Text instead of a number, or the other way round: the alternative reports the mistake.
                    kind = "str" if "str" in known else "int"
        if kind in known:
            return self._convert(node, known[kind], path, context)
        raise self._problem_at(
            node.start_mark,
            f"found {_found(node, context)}, allowed: {', '.join(described(hint) for hint in known.values())}",
        )

    def _mapping(
        self, node: yaml.Node, what: str, default: Any, special: Mapping[str, Any], path: Location, context: _Context
    ) -> dict[str, Any]:
        values = {}
        for key, value in self._pairs(node, what, context):
            location = (*path, key.value)
            values[key.value] = self._convert(value, special.get(key.value, default), location, context)
            # Later errors about the entry are most likely about its name.
            self._marks[location] = key.start_mark
        return values

    def _sequence(self, node: yaml.Node, hint: Any, path: Location, context: _Context) -> tuple[Any, ...]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._problem_at(node.start_mark, f"expected a list, found {_found(node, context)}")
        return tuple(self._convert(item, hint, (*path, index), context) for index, item in enumerate(node.value))

    def _one_of(self, node: yaml.Node, mark: OneOf, path: Location, context: _Context) -> Any:
        pairs = self._pairs(node, mark.what, context)
        for key, _ in pairs:
            if key.value not in mark.types:
                raise self._unknown(key, mark.what.removeprefix("a "), mark.types, context)
        if len(pairs) != 1:
            place = pairs[1][0].start_mark if pairs else node.start_mark
            raise self._problem_at(
                place, f"expected {mark.what}: one key, found {len(pairs)} (allowed: {', '.join(mark.types)})"
            )
        [(key, value)] = pairs
        return self._convert(value, mark.types[key.value], (*path, key.value), context)

    def _struct(self, node: yaml.Node, hint: type[msgspec.Struct], path: Location, context: _Context) -> msgspec.Struct:
        if not isinstance(node, yaml.MappingNode):
            raise self._problem_at(node.start_mark, f"expected {described(hint)}, found {_found(node, context)}")
        hints, fields = _fields_of(hint)
        values = {}
        for key, value in self._pairs(node, "a mapping", context):
            if key.value not in fields:
                raise self._unknown(key, "key", fields, context)
            field = fields[key.value]
            values[field.name] = self._convert(value, hints[field.name], (*path, key.value), context)
        for name, field in fields.items():
            if field.required and field.name not in values:
                keys = ", ".join(fields)
                raise self._problem_at(node.start_mark, f"key {name!r} is missing (allowed: {keys})")
        try:
            return hint(**values)
        except InvalidInputError as error:
            raise self._problem_at(node.start_mark, str(error)) from None

    def _pairs(self, node: yaml.Node, what: str, context: _Context = _PLAIN) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise self._problem_at(node.start_mark, f"expected {what}, found {_found(node, context)}")
        seen: dict[str, Any] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._problem_at(key.start_mark, f"expected a plain key, found {_found(key)}")
            if key.value in seen:
                first = seen[key.value]
                where = f"in line {first.line + 1}" if first.name == key.start_mark.name else f"at {nodes.place(first)}"
                raise self._problem_at(key.start_mark, f"duplicate key {key.value!r}, first {where}")
            seen[key.value] = key.start_mark
        return list(node.value)

    def _interpolated(self, node: yaml.ScalarNode) -> str:
        def value(match: re.Match[str]) -> str:
            name, default = match.groups()
            if name is None:
                raise self._problem_at(node.start_mark, "'${' without a name, allowed: ${NAME} or ${NAME:-default}")
            found = self._variables.get(name) or default
            if found is None:
                raise self._problem_at(
                    node.start_mark, f"${{{name}}} has no value: set {name}, or write ${{{name}:-default}}"
                )
            return found

        return _VARIABLE.sub(value, node.value)

    def _unknown(
        self, node: yaml.ScalarNode, what: str, allowed: Collection[str], context: _Context = _PLAIN
    ) -> InvalidInputError:
        return self._problem_at(node.start_mark, unknown(what, node.value, allowed, secret=context.secret))


@functools.cache
def _fields_of(hint: type[msgspec.Struct]) -> tuple[dict[str, Any], dict[str, msgspec.structs.FieldInfo]]:
    """Return the hints of the fields by name, and the fields by key. A key may be absent, but it is never null."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(hint)}
    hints = get_type_hints(hint, include_extras=True)
    return {field.name: _without_null(hints[field.name]) for field in fields.values()}, fields


def _without_null(hint: Any) -> Any:
    """Return the other alternative of a union with None, or the hint as it is."""
    others = [one for one in get_args(hint) if one is not type(None)]
    return others[0] if get_origin(hint) in (Union, types.UnionType) and len(others) == 1 else hint


@functools.cache
def _single_field(struct: type[SingleValue]) -> tuple[str, Any]:
    return value_field(struct), value_hint(struct)


def _found(node: yaml.Node, context: _Context = _PLAIN) -> str:
    match node:
        case yaml.MappingNode():
            return "a mapping"
        case yaml.SequenceNode():
            return "a list"
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return "nothing"
    if context.secret:
        return _YAML_KINDS.get(kind, kind)
    return f"{_YAML_KINDS.get(kind, kind)} {short(node.value)!r}"


def described(hint: Any) -> str:
    """Describe a value of the type in a few words."""
    if get_origin(hint) is Annotated:
        base, *marks = get_args(hint)
        for mark in marks:
            if isinstance(mark, Bounded):
                return f"a whole number from {mark.low}"
            if isinstance(mark, ParsedText | OneOf | Keyed | Decoded):
                return mark.what
        return described(base)
    if get_origin(hint) is Literal:
        return ", ".join(get_args(hint))
    if get_origin(hint) is tuple:
        return "a list"
    if get_origin(hint) is dict:
        return "a mapping of names"
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return ", ".join(member.value for member in hint)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return f"a mapping of {', '.join(field.encode_name for field in msgspec.structs.fields(hint))}"
    return {int: "a whole number", float: "a number", str: "text", bool: "true or false"}[hint]


@functools.cache
def _alternatives(hints: tuple[Any, ...]) -> dict[str, Any]:
    """Return the alternatives of a union by the kind of node that each is for."""
    return {_kind(hint): hint for hint in hints if hint is not type(None)}


def _kind(hint: Any) -> str:
    """Return the kind of node that an alternative is for."""
    base = hint
    if get_origin(hint) is Annotated:
        base, *marks = get_args(hint)
        if any(isinstance(mark, ParsedText) for mark in marks):
            return "str"
    if get_origin(base) is tuple:
        return "list"
    if get_origin(base) is dict or (isinstance(base, type) and issubclass(base, msgspec.Struct)):
        return "mapping"
    return {int: "int", float: "float", bool: "bool"}.get(base, "str")
