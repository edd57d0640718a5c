"""Declared faults: which attempts and calls they hit, and how they are written in YAML and JSON."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from mockcampaign.durations import format_duration, parse_duration
from mockcampaign.errors import InvalidInputError
from mockcampaign.faults import DURATION_UNIT, FAULTS, CallFault, Latency
from mockcampaign.model import Fault
from mockcampaign.policy import DAY
from mockcampaign.text import unknown

Chance = Annotated[float, Meta(gt=0, le=1)]
Span = Annotated[int, Meta(ge=1, le=366 * DAY, extra={"unit": DURATION_UNIT})]


class FaultInputError(InvalidInputError):
    """A fault that cannot be read."""

    def __init__(self, message: str, key: str | None = None) -> None:
        """`key` is the key with the error, if there is one."""
        super().__init__(message)
        self.key = key


class When(msgspec.Struct, frozen=True, kw_only=True, rename={"duration": "for"}, omit_defaults=True):
    """Which of the attempts of its webhooks, or of the calls of its operation, a fault hits; by default, all.

    Raises `InvalidInputError` if `every` and `probability` are both given.
    """

    times: Annotated[int, Meta(ge=1)] | None = None
    """Most attempts or calls it hits."""
    duration: Span | None = None
    """Virtual time from now in which it hits attempts or calls."""
    every: Annotated[int, Meta(ge=1)] | None = None
    """Hits every nth attempt or call only: 3 for the third, the sixth, the ninth and so on."""
    probability: Chance | None = None
    """Hits each attempt or call with this probability, drawn from the seed of the run."""

    def __post_init__(self) -> None:
        if self.every is not None and self.probability is not None:
            raise InvalidInputError("fault: allowed: one of 'every' and 'probability', found both")


class Declared:
    """A declared fault that is not over."""

    def __init__(
        self, *, number: int, fault: Fault, when: When, webhook_ids: tuple[int, ...], now: int, seed: int
    ) -> None:
        self.number = number
        self.fault = fault
        self.when = when
        self.webhook_ids = webhook_ids
        """The webhooks that it concerns; empty: all."""
        self.until = None if when.duration is None else now + when.duration
        """The moment from which it hits nothing; None without a duration."""
        self.hits = 0
        """Number of attempts or calls that it has hit."""
        self._concerned = 0
        self._random = random.Random(f"fault:{seed}:{number}")

    def over(self, now: int) -> bool:
        """Whether it will hit nothing more."""
        return self.hits == self.when.times or (self.until is not None and now >= self.until)

    def hit(self, webhook_id: int, now: int) -> Fault | None:
        """Return the fault as it hits an attempt that starts now, or None if it does not. It must not be over."""
        if (self.webhook_ids and webhook_id not in self.webhook_ids) or not self._hits():
            return None
        return self.fault.drawn(self._random) if isinstance(self.fault, Latency) else self.fault

    def hit_call(self, operation: str, area: str) -> CallFault | None:
        """Return the fault if it hits a call of the operation, or None if it does not. It must not be over."""
        fault = self.fault
        return fault if isinstance(fault, CallFault) and fault.concerns(operation, area) and self._hits() else None

    def _hits(self) -> bool:
        """Return whether it hits one more attempt or call of those that it concerns."""
        self._concerned += 1
        when = self.when
        if when.every is not None and self._concerned % when.every:
            return False
        if when.probability is not None and self._random.random() >= when.probability:
            return False
        self.hits += 1
        return True


class FaultTable:
    """The declared faults that are not over, in the order of their declaration."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._last_number = 0
        self.declared: list[Declared] = []
        """Empty: no attempt is hit, so that nobody needs to ask."""

    def concern(self, webhook_id: int) -> bool:
        """Whether one of the faults may hit an attempt of the webhook."""
        for declared in self.declared:
            if isinstance(declared.fault, CallFault):
                continue
            if not declared.webhook_ids or webhook_id in declared.webhook_ids:
                return True
        return False

    def declare(self, fault: Fault, when: When, webhook_ids: tuple[int, ...], now: int) -> Declared:
        """Let a fault hit the attempts that `when` describes, of these webhooks (none named: of all)."""
        self._last_number += 1
        declared = Declared(
            number=self._last_number, fault=fault, when=when, webhook_ids=webhook_ids, now=now, seed=self._seed
        )
        self.declared.append(declared)
        return declared

    def end(self, number: int) -> Declared | None:
        """End a fault and return it, or None if it was over."""
        for declared in self.declared:
            if declared.number == number:
                self.declared.remove(declared)
                return declared
        return None

    def in_force(self, now: int) -> list[Declared]:
        """Return the faults that are not over, in the order of their declaration."""
        return [declared for declared in self.declared if not declared.over(now)]

    def hits(self, webhook_id: int, now: int, applies: Callable[[Fault], bool]) -> tuple[Fault, ...]:
        """Return the faults that hit an attempt of the webhook that starts now. None is spent unless it applies."""
        found = []
        for declared in self.declared:
            if not isinstance(declared.fault, CallFault) and applies(declared.fault) and not declared.over(now):
                fault = declared.hit(webhook_id, now)
                if fault is not None:
                    found.append(fault)
        self.declared = self.in_force(now)
        return tuple(found)

    def call_hits(self, operation: str, area: str, now: int) -> tuple[CallFault, ...]:
        """Return the faults that hit a call of the operation, which is in that area, that begins now."""
        hit = [declared.hit_call(operation, area) for declared in self.declared if not declared.over(now)]
        self.declared = self.in_force(now)
        return tuple(fault for fault in hit if fault is not None)


_Value = TypeVar("_Value", bound=msgspec.Struct)

_WHEN_KEYS = tuple(field.encode_name for field in msgspec.structs.fields(When))


def read_fault(mapping: Mapping[str, object]) -> tuple[Fault, When]:
    """Return a fault and when it hits, from a mapping in YAML or JSON.

    Its keys are `kind`, those of the fault, `times`, `for`, `every` and `probability`; durations are text such as
    `10s`. Raises `FaultInputError` with a message of one line.
    """
    return _read({**mapping}, text=True)


def write_fault(fault: Fault, when: When) -> dict[str, object]:
    """Return the mapping from which `read_fault` reads these values, without defaults of `when`."""
    return {"kind": fault.kind, **_written(fault), **_written(when)}


def fault_schema(kind: str, duration: Mapping[str, object]) -> dict[str, Any]:
    """Return the JSON Schema of the mapping of `read_fault` for one kind; `duration` is the schema of a duration."""
    fault = FAULTS[kind]
    _, components = msgspec.json.schema_components((fault, When))
    schema: dict[str, Any] = components[fault.__name__]
    properties = {**schema["properties"], **components[When.__name__]["properties"]}
    for value_type in (fault, When):
        for field in filter(lambda field: _is_duration(field.type), _fields(value_type)):
            default = field.default
            if isinstance(default, int):
                properties[field.encode_name] = {**duration, "default": format_duration(default)}
            else:
                properties[field.encode_name] = {"anyOf": [duration, {"type": "null"}], "default": None}
    return {**schema, "title": kind, "properties": properties}


def make_fault(kind: str, **values: object) -> tuple[Fault, When]:
    """Return a fault and when it hits, from Python values: durations are milliseconds, and `for` is `duration`."""
    renamed = {"for" if name == "duration" else name: value for name, value in values.items()}
    return _read({"kind": kind, **renamed}, text=False)


def _read(values: dict[str, object], *, text: bool) -> tuple[Fault, When]:
    kind = values.pop("kind", None)
    if not isinstance(kind, str) or kind not in FAULTS:
        if kind is None:
            raise FaultInputError(f"fault: key 'kind' is missing (allowed: {', '.join(FAULTS)})", "kind")
        raise FaultInputError(f"fault: {unknown('kind', str(kind), FAULTS)}", "kind")
    when = {name: values.pop(name) for name in _WHEN_KEYS if name in values}
    return (
        _convert(FAULTS[kind], values, f"fault {kind}", _WHEN_KEYS, text),
        _convert(When, when, f"fault {kind}", (), text),
    )


@functools.cache  # msgspec evaluates all annotations each time
def _fields(value_type: type[msgspec.Struct]) -> tuple[msgspec.inspect.Field, ...]:
    """Return the fields of a type, with descriptions of their types."""
    info = msgspec.inspect.type_info(value_type)
    assert isinstance(info, msgspec.inspect.StructType)
    return info.fields


_python_fields = functools.cache(msgspec.structs.fields)


def _convert(
    value_type: type[_Value], values: dict[str, object], where: str, other_keys: tuple[str, ...], text: bool
) -> _Value:
    described = {field.encode_name: field.type for field in _fields(value_type)}
    for name in values:
        if name not in described:
            raise FaultInputError(f"{where}: {unknown('key', name, (*described, *other_keys))}", name)
    found = {}
    for field in _python_fields(value_type):
        name = field.encode_name
        if name not in values:
            continue
        value = values[name]
        if text and _is_duration(described[name]) and value is not None:
            value = _duration(value, where, name)
        try:
            found[field.name] = msgspec.convert(value, field.type)
        except msgspec.ValidationError:
            allowed = _described(described[name])
            raise FaultInputError(f"{where}: {name}: {value!r} does not fit, allowed: {allowed}", name) from None
    return value_type(**found)


def _written(value: msgspec.Struct) -> dict[str, object]:
    return {
        field.encode_name: format_duration(found) if _is_duration(field.type) else found
        for field in _fields(type(value))
        if (found := getattr(value, field.name)) is not None
    }


def _duration(value: object, where: str, name: str) -> int:
    try:
        return parse_duration(value if isinstance(value, str) else repr(value))
    except InvalidInputError as error:
        raise FaultInputError(f"{where}: {name}: {error}", name) from None


def _is_duration(field: msgspec.inspect.Type) -> bool:
    match field:
        case msgspec.inspect.UnionType(types=types):
            return any(_is_duration(one) for one in types)
        case msgspec.inspect.Metadata(extra=extra):
            return extra is not None and extra.get("unit") == DURATION_UNIT
        case _:
            return False


def _described(field: msgspec.inspect.Type) -> str:
    match field:
        case msgspec.inspect.UnionType(types=types):
            return _described(types[0])
        case msgspec.inspect.Metadata(type=msgspec.inspect.IntType(ge=low, le=high)):
            return f"a duration of {low or 0} ms to {format_duration(high or 0)}"
        case msgspec.inspect.IntType(ge=low, le=high):
            return f"a whole number from {low}" + ("" if high is None else f" to {high}")
        case msgspec.inspect.FloatType(gt=None, ge=low, lt=high):
            return f"a number from {low} to less than {high}"
        case msgspec.inspect.FloatType(gt=low, le=high):
            return f"a number above {low}, up to {high}"
        case msgspec.inspect.LiteralType(values=values):
            return ", ".join(str(value) for value in values)
        case _:
            return "a line of printable ASCII text"
