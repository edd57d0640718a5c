"""Declared faults: which attempts and calls they hit, and how they are written in YAML and JSON."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Annotated, Any, TypeVar, cast

import msgspec
from msgspec import Meta

from mockcampaign.durations import format_duration, parse_duration
from mockcampaign.errors import InvalidInputError
from mockcampaign.faults import (
    DURATION_UNIT,
    FAULTS,
    AnyFault,
    BeforeConsumer,
    CallFault,
    Latency,
    has_effect,
    needs_acknowledgement,
    unknown_kind,
)
from mockcampaign.model import Fault, Outcome
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


class Declared(msgspec.Struct, kw_only=True, tag="fault", eq=False):
    """A declared fault that is not over. What it draws follows from these values, so that it outlives its process."""

    number: int
    fault: AnyFault
    when: When
    webhook_ids: tuple[int, ...]
    """The webhooks that it concerns; empty: all."""
    until: int | None
    """The moment from which it hits nothing; None without a duration."""
    seed: int
    hits: int = 0
    """Number of attempts or calls that it has hit."""
    concerned: int = 0
    """Number of attempts or calls that it could have hit."""

    def over(self, now: int) -> bool:
        """Whether it will hit nothing more."""
        return self.hits == self.when.times or (self.until is not None and now >= self.until)

    @property
    def ends(self) -> bool:
        """Whether it will be over without a command."""
        return self.until is not None or self.when.times is not None

    def hit(self) -> AnyFault | None:
        """Return the fault as it hits an attempt or call that it concerns, or None if it does not. It is not over."""
        self.concerned += 1
        when = self.when
        if when.every is not None and self.concerned % when.every:
            return None
        if when.probability is not None and self._chance() >= when.probability:
            return None
        self.hits += 1
        fault = self.fault
        if isinstance(fault, Latency) and fault.distribution != "fixed":
            return fault.drawn(random.Random(f"latency of fault:{self.seed}:{self.number}:{self.concerned}"))
        return fault

    def _chance(self) -> float:
        """Return a number from 0 to below 1: a generator for each attempt would take several times as long."""
        digest = blake2b(b"fault:%d:%d:%d" % (self.seed, self.number, self.concerned), digest_size=8).digest()
        return (int.from_bytes(digest) >> 11) * 2.0**-53


class Undecided(msgspec.Struct, frozen=True, eq=False):
    """A fault that concerns an attempt under way if the consumer acknowledges it, and else waits for the next."""

    declared: Declared
    fault: AnyFault | None
    """The fault as it hits the attempt; None if `every` or `probability` spares it."""


class Hits(msgspec.Struct, frozen=True, eq=False):
    """The declared faults that may concern one attempt."""

    faults: tuple[Fault, ...] = ()
    """The faults that hit it."""
    undecided: tuple[Undecided, ...] = ()
    """Faults that concern it only if the consumer acknowledges the batch."""


NO_HITS = Hits()


def _ignore(declared: Declared) -> None:
    pass


class FaultTable:
    """The declared faults that are not over, in the order of their declaration."""

    def __init__(
        self,
        seed: int,
        *,
        on_change: Callable[[Declared], object] = _ignore,
        on_end: Callable[[Declared], object] = _ignore,
    ) -> None:
        """`on_change` is notified of each new fault and of what it concerns later, `on_end` of its end."""
        self._seed = seed
        self._on_change = on_change
        self._on_end = on_end
        self.last_number = 0
        self._set(())
        self._undecided: list[Declared] = []
        """The fault of each `Undecided` that is under way. It does not end before that is settled."""

    def _set(self, declared: Sequence[Declared]) -> None:
        # Sorted once, since each attempt asks.
        self.declared = tuple(declared)
        """Empty: no attempt is hit, so that nobody needs to ask."""
        self._ends = any(one.ends for one in declared)
        self._of_calls = [one for one in declared if isinstance(one.fault, CallFault)]
        self._before_consumer = [one for one in declared if isinstance(one.fault, BeforeConsumer)]
        self._others = [one for one in declared if not isinstance(one.fault, CallFault | BeforeConsumer)]
        self._need_acknowledgement = {one.number for one in declared if needs_acknowledgement(one.fault)}

    def resume(self, declared: Sequence[Declared], last_number: int, now: int) -> None:
        """Go on with faults of another process, whose latest one had that number."""
        self._set(declared)
        self.last_number = last_number
        self._forget_ended(now)

    def concern(self, webhook_id: int) -> bool:
        """Whether one of the faults may hit an attempt of the webhook."""
        return any(
            not one.webhook_ids or webhook_id in one.webhook_ids for one in (*self._before_consumer, *self._others)
        )

    def declare(self, fault: Fault, when: When, webhook_ids: tuple[int, ...], now: int) -> Declared:
        """Let a fault hit the attempts that `when` describes, of these webhooks (none named: of all)."""
        self._forget_ended(now)
        self.last_number += 1
        declared = Declared(
            number=self.last_number,
            fault=cast(AnyFault, fault),
            when=when,
            webhook_ids=webhook_ids,
            until=None if when.duration is None else now + when.duration,
            seed=self._seed,
        )
        self._set((*self.declared, declared))
        self._on_change(declared)
        return declared

    def end(self, number: int) -> Declared | None:
        """End a fault and return it, or None if it was over."""
        for declared in self.declared:
            if declared.number == number:
                self._set([other for other in self.declared if other is not declared])
                self._on_end(declared)
                return declared
        return None

    def in_force(self, now: int) -> list[Declared]:
        """Return the faults that are not over, in the order of their declaration."""
        return [declared for declared in self.declared if not declared.over(now)]

    def hits(self, webhook_id: int, now: int, applies: Callable[[Fault], bool]) -> Hits:
        """Return what hits an attempt of the webhook that starts now. No fault is spent unless it applies.

        An attempt that does not reach the consumer meets no other fault. `applies` says what else would change it.
        Call `settle` as soon as the attempt has an outcome.
        """
        before = self._hits(
            [one for one in self._before_consumer if not one.webhook_ids or webhook_id in one.webhook_ids], now
        )
        if before.faults:
            return before
        return self._hits(
            [
                one
                for one in self._others
                if (not one.webhook_ids or webhook_id in one.webhook_ids) and applies(one.fault)
            ],
            now,
        )

    def settle(
        self, undecided: Sequence[Undecided], response: Outcome, outcome: Outcome, now: int
    ) -> tuple[AnyFault, ...]:
        """Give back what an attempt has not spent, and return the faults without effect; see `faults.has_effect`."""
        without_effect: list[AnyFault] = []
        for one in undecided:
            declared = one.declared
            self._undecided.remove(declared)
            if has_effect(declared.fault, response, outcome):
                continue
            declared.concerned -= 1
            if one.fault is not None:
                declared.hits -= 1
                without_effect.append(one.fault)
            if declared in self.declared:
                self._on_change(declared)
        self._forget_ended(now)
        return tuple(without_effect)

    def call_hits(self, operation: str, area: str, now: int) -> tuple[CallFault, ...]:
        """Return the faults that hit a call of the operation, which is in that area, that begins now."""
        concerning = [
            one for one in self._of_calls if isinstance(one.fault, CallFault) and one.fault.concerns(operation, area)
        ]
        return tuple(fault for fault in self._hits(concerning, now).faults if isinstance(fault, CallFault))

    def _hits(self, concerning: list[Declared], now: int) -> Hits:
        found: list[Fault] = []
        undecided: list[Undecided] = []
        for declared in concerning:
            if not self._ends or not declared.over(now):
                fault = declared.hit()
                self._on_change(declared)
                if fault is not None:
                    found.append(fault)
                if declared.number in self._need_acknowledgement:
                    undecided.append(Undecided(declared, fault))
                    self._undecided.append(declared)
        self._forget_ended(now)
        return Hits(tuple(found), tuple(undecided)) if found or undecided else NO_HITS

    def _forget_ended(self, now: int) -> None:
        if not self._ends:
            return
        left = [declared for declared in self.declared if not declared.over(now) or declared in self._undecided]
        if len(left) < len(self.declared):
            for declared in self.declared:
                if declared not in left:
                    self._on_end(declared)
            self._set(left)


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
        raise FaultInputError(f"fault: {unknown_kind('kind', str(kind), FAULTS)}", "kind")
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
