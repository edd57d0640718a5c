"""Generates the JSON Schema of scenario files from the definitions that load them.

It uses draft 7, which all YAML language servers support. Loading a file finds the mistakes that a schema cannot find,
such as a webhook that does not exist.
"""

from __future__ import annotations

import types
from enum import StrEnum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from mockcampaign.durations import DURATION_PATTERN, DURATION_SCHEMA, format_duration, format_moment, parse_moment
from mockcampaign.engine.declared_faults import When, fault_schema
from mockcampaign.faults import FAULTS
from mockcampaign.scenario.language.annotations import (
    Bounded,
    Decoded,
    Keyed,
    OneOf,
    ParsedText,
    Shared,
    Shorthand,
    SingleValue,
    bare_class,
    value_hint,
)
from mockcampaign.scenario.language.documented import field_docs, key_docs, summary
from mockcampaign.scenario.language.scenario_file import Scenario

MATRIX_VALUE = {"$ref": "#/definitions/matrix-value"}

Schema = dict[str, Any]


def json_schema() -> bytes:
    """Return the schema as it is shipped."""
    definitions: dict[str, Schema] = {
        "matrix-value": {
            "type": "string",
            "pattern": r"^\$\{matrix\.[A-Za-z_][A-Za-z0-9_]*\}$",
            "description": "Value of the matrix.",
        }
    }
    root = _struct(Scenario, definitions)
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "mockcampaign scenario",
        **root,
        "definitions": definitions,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _schema(hint: Any, definitions: dict[str, Schema]) -> Schema:
    origin = get_origin(hint)
    if origin is Annotated:
        base, *marks = get_args(hint)
        for mark in marks:
            match mark:
                case ParsedText(schema=schema, what=what):
                    # Not a keyword of JSON Schema, but editors show it instead of the pattern.
                    message = {"patternErrorMessage": f"expected {what}"} if "pattern" in schema else {}
                    return _or_variable({**schema, **message})
                case Bounded(low=low, high=high):
                    return _or_variable({"type": "integer", "minimum": low, "maximum": high})
                case OneOf():
                    return _one_of(mark, definitions)
                case Keyed(default=default, types=special):
                    return {
                        "type": "object",
                        "properties": {name: _schema(hint, definitions) for name, hint in special.items()},
                        "additionalProperties": _schema(default, definitions),
                        "minProperties": 1,
                    }
                case Decoded():
                    return _fault(definitions)
                case Shorthand(key=key):
                    fields = get_type_hints(base, include_extras=True)
                    return _any_of([_schema(fields[key], definitions), _schema(base, definitions)])
        return _schema(base, definitions)
    if origin in (Union, types.UnionType):
        return _any_of([_schema(one, definitions) for one in get_args(hint) if one is not type(None)])
    if origin is Literal:
        return _or_variable({"enum": list(get_args(hint))})
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(get_args(hint)[1], definitions)}
    if origin is tuple:
        return {"type": "array", "items": _schema(get_args(hint)[0], definitions)}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _or_variable({"enum": [member.value for member in hint]})
    if isinstance(hint, type) and issubclass(hint, SingleValue):
        return _schema(value_hint(hint), definitions)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        name = hint.__name__.removesuffix("Definition")
        if name not in definitions:
            definitions[name] = {}  # reserves the place before the definitions that it needs
            definitions[name] = _struct(hint, definitions)
        return {"$ref": f"#/definitions/{name}"}
    if hint is str:
        return {"type": "string"}
    return _or_variable({int: {"type": "integer"}, float: {"type": "number"}, bool: {"type": "boolean"}}[hint])


def _struct(hint: type[msgspec.Struct], definitions: dict[str, Schema]) -> Schema:
    hints, docs = get_type_hints(hint, include_extras=True), key_docs(hint)
    properties: dict[str, Schema] = {}
    required: list[str] = []
    shared: list[str] = []
    for field in msgspec.structs.fields(hint):
        properties[field.encode_name] = _described(_schema(hints[field.name], definitions), docs.get(field.name))
        default = written_default(field.default, hints[field.name])
        if default is not None:
            properties[field.encode_name]["default"] = default
        if field.required:
            marks = getattr(hints[field.name], "__metadata__", ())
            (shared if any(isinstance(mark, Shared) for mark in marks) else required).append(field.encode_name)
    schema: Schema = {
        "type": "object",
        "description": summary(hint),
        "properties": properties,
        "additionalProperties": False,
    }
    if required:
        schema["required"] = required
    if shared:
        schema["anyOf"] = [{"required": shared}, {"required": ["use"]}]
    return schema


def _one_of(mark: OneOf, definitions: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": {
            key: _described(_schema(hint, definitions), summary(bare_class(hint))) for key, hint in mark.types.items()
        },
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _described(schema: Schema, text: str | None) -> Schema:
    if text is None:
        return schema
    # Draft 7 ignores everything beside a reference.
    return {"description": text, "allOf": [schema]} if "$ref" in schema else {"description": text, **schema}


def written_default(default: Any, hint: Any) -> str | int | float | bool | None:
    """Return a default as a file would write it, or None if there is none to show."""
    if isinstance(default, StrEnum) or not isinstance(default, str | int | float):
        return None
    for mark in getattr(hint, "__metadata__", ()):
        if isinstance(mark, ParsedText) and mark.schema.get("pattern") == DURATION_PATTERN:
            return format_duration(int(default))
        if isinstance(mark, ParsedText) and mark.parse is parse_moment:
            return format_moment(int(default))
    return default


def fault_kinds() -> dict[str, tuple[str, dict[str, Schema]]]:
    """Return for each kind of fault what it does, and the keys of its own."""
    return {
        kind: (summary(fault), {name: _fault_key(kind, name, fault) for name in fault.__struct_fields__})
        for kind, fault in FAULTS.items()
    }


def fault_limits() -> dict[str, Schema]:
    """Return the keys that faults of every kind have."""
    webhook = {"type": "string", "description": "Name of the only affected webhook (default: all webhooks)."}
    names = [field.encode_name for field in msgspec.structs.fields(When)]
    kind = next(iter(FAULTS))
    return {"webhook": webhook, **{name: _fault_key(kind, name, When) for name in names}}


def _fault_key(kind: str, name: str, owner: type[msgspec.Struct]) -> Schema:
    schema: Schema = fault_schema(kind, DURATION_SCHEMA)["properties"][name]
    default = schema.get("default")
    for form in schema.get("anyOf", ()):  # of a key that may be absent: null, and what it may be
        if form != {"type": "null"}:
            schema = form
    names = {field.encode_name: field.name for field in msgspec.structs.fields(owner)}
    text = field_docs(owner).get(names[name])
    return _described({**schema, **({} if default is None else {"default": default})}, text)


def _fault(definitions: dict[str, Schema]) -> Schema:
    """One alternative for each kind. The keys that all kinds have are defined once."""
    definitions["FaultLimits"] = {"type": "object", "properties": _with_variables(fault_limits())}
    common = {name: {"$ref": f"#/definitions/FaultLimits/properties/{name}"} for name in fault_limits()}
    kinds: list[Schema] = [
        {
            "type": "object",
            "description": meaning,
            "properties": {"kind": {"const": kind, "description": meaning}, **_with_variables(own), **common},
            "required": ["kind"],
            "additionalProperties": False,
        }
        for kind, (meaning, own) in fault_kinds().items()
    ]
    kinds.append({"type": "object", "properties": {"kind": MATRIX_VALUE}, "required": ["kind"]})
    definitions["Fault"] = {"anyOf": kinds}
    return {"$ref": "#/definitions/Fault"}


def _with_variables(properties: dict[str, Schema]) -> dict[str, Schema]:
    return {
        name: _described(
            _or_variable({key: value for key, value in schema.items() if key != "description"}),
            schema.get("description"),
        )
        for name, schema in properties.items()
    }


def _or_variable(schema: Schema) -> Schema:
    """Allow a value of the matrix in place of the value, or within it if it is text."""
    pattern = schema.get("pattern")
    if pattern is not None:
        return {**schema, "pattern": rf"{pattern}|\$\{{"}
    return _any_of([schema, MATRIX_VALUE]) if schema != {"type": "string"} else schema


def _any_of(schemas: list[Schema]) -> Schema:
    alternatives: list[Schema] = []
    for schema in schemas:
        for one in schema["anyOf"] if set(schema) == {"anyOf"} else [schema]:
            if one not in alternatives:
                alternatives.append(one)
    return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}
