"""What JSON Schema can say of the `fault` step, from the table of faults."""

from __future__ import annotations

from typing import Any

import msgspec

from mockcampaign.durations import DURATION_SCHEMA
from mockcampaign.engine.declared_faults import When
from mockcampaign.faults import DURATION_UNIT, FAULTS
from mockcampaign.scenario.language.documented import field_docs, summary


def fault_kinds() -> dict[str, tuple[str, dict[str, Any]]]:
    """What each kind means, and its own keys."""
    return {kind: (summary(fault), _properties(fault)) for kind, fault in FAULTS.items()}


def fault_limits() -> dict[str, Any]:
    """The keys that all kinds have."""
    webhook = {"type": "string", "description": "The only webhook concerned; all of them without it."}
    return {"webhook": webhook, **_properties(When)}


def _properties(value_type: type[msgspec.Struct]) -> dict[str, Any]:
    info = msgspec.inspect.type_info(value_type)
    assert isinstance(info, msgspec.inspect.StructType)
    docs = field_docs(value_type)
    return {
        field.encode_name: {**_schema(field.type), **({"description": docs[field.name]} if field.name in docs else {})}
        for field in info.fields
    }


def _schema(field: msgspec.inspect.Type) -> dict[str, Any]:
    match field:
        case msgspec.inspect.UnionType(types=types):
            return _schema(types[0])
        case msgspec.inspect.Metadata(extra={"unit": unit}) if unit == DURATION_UNIT:
            return DURATION_SCHEMA
        case msgspec.inspect.Metadata(type=inner):
            return _schema(inner)
        case msgspec.inspect.IntType(ge=low, le=high):
            return {"type": "integer", **_limits(minimum=low, maximum=high)}
        case msgspec.inspect.FloatType(gt=above, ge=low, lt=below, le=high):
            return {
                "type": "number",
                **_limits(exclusiveMinimum=above, minimum=low, exclusiveMaximum=below, maximum=high),
            }
        case msgspec.inspect.LiteralType(values=values):
            return {"enum": list(values)}
        case _:
            return {"type": "string"}


def _limits(**limits: float | None) -> dict[str, float]:
    return {name: limit for name, limit in limits.items() if limit is not None}
