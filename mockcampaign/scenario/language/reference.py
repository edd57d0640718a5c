"""Generates the reference of the scenario language, in Markdown, from the definitions that load scenarios."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from mockcampaign.policy import INT64_MAX
from mockcampaign.scenario.language.annotations import (
    Bounded,
    Decoded,
    Keyed,
    OneOf,
    ParsedText,
    Shared,
    SingleValue,
    bare_class,
    value_hint,
)
from mockcampaign.scenario.language.documented import key_docs, summary
from mockcampaign.scenario.language.plain_values import OUTCOMES
from mockcampaign.scenario.language.scenario_file import Scenario
from mockcampaign.scenario.language.schema import fault_kinds, fault_limits, written_default
from mockcampaign.scenario.language.step_examples import (
    MATRIX_EXAMPLE,
    SHAPE_EXAMPLE,
    STEP_EXAMPLES,
    USE_EXAMPLE,
    USED_EXAMPLE,
    whole,
)
from mockcampaign.scenario.language.steps import STEPS

_INTRODUCTION = """\
# Scenarios

A scenario is a YAML file, `*.scenario.yaml`. It says what Campaign does, and what must be true afterwards.
`mockcampaign run PATH…` runs files and whole folders. Copy the scenarios in this folder to start your own.

This page is generated from the definitions that load scenarios (`mockcampaign schema reference` prints it), and the
tests run every example in it. Editors with a YAML language server complete and explain the keys, and mark mistakes, if
a file begins with

    # yaml-language-server: $schema=./scenario.schema.json

(`mockcampaign schema scenario` prints that file).

- mockcampaign reports every mistake before it sends anything, with file, line, column and the allowed values. The
  language has no YAML anchors, aliases and tags, and no loops and conditions: write Python if you need them.
- Durations are `500ms`, `90s`, `10m`, `2h`, `3d` or `1d12h`. They are virtual time unless this page says wall time:
  three virtual days pass in a moment.
- Texts under `consumer` and `webhooks` may contain environment variables: `${NAME}` and `${NAME:-default}`. Quote such
  a text within `{…}`.
- Only the steps `advance`, `run` and `wait` let time pass. `emit` with `over`, `mailing`, `outage` and `fault` take
  effect from now on.
- A run that shows nothing, because nothing was emitted or delivered, is inconclusive: its exit status is 3.
"""

_SHAPE = """\
For payloads that differ from Campaign's own. `emit` without `events` and `verify` make events of this shape, requests
have its body, `new_mail_ids` replaces what identifies a mail in it, and stored events are recognised by it.

`shape: captured.json` names a file of captured events instead: an event, a list of events, the body of a request, or a
journal. Events of several types give a shape each. `mockcampaign shape captured.json` shows which role each field plays
and prints a file to correct, which `shape` can name as well. A single captured object may be one event of a list: if it
is the whole body, write `body: object` into that file. A scenario with a shape has no step `mailing`.
"""

_MATRIX = """\
Each combination is a run of its own. `count: "${matrix.n}"` is a number if the value is one; within a longer text, the
value becomes text. Reports add the values to the scenario's name unless the name already contains them. That is why
credentials cannot come from a matrix.
"""


def reference() -> str:
    """Return the whole page."""
    sections = [_INTRODUCTION, "## The file", *_keys(Scenario), _example(whole("run"))]
    described: list[type[msgspec.Struct]] = [Scenario]
    for above in _reachable(Scenario, skipped="steps"):
        sections += [f"### {_title(above)}", *_keys(above)]
        described.append(above)
    sections += ["### `shape`", _example(SHAPE_EXAMPLE), _SHAPE]
    sections += ["### `matrix`", _example(MATRIX_EXAMPLE), _MATRIX, "### `use`", _example(USE_EXAMPLE)]
    sections += ["This is `consumer.yaml`:", _example(USED_EXAMPLE)]
    sections += ["## Steps", "Each step is a mapping of one key."]
    later: list[type[msgspec.Struct]] = []
    for kind, hint in STEPS.items():
        step = bare_class(hint)
        sections += [f"### `{kind}`", summary(step)]
        if any(isinstance(mark, Decoded) for mark in getattr(hint, "__metadata__", ())):
            sections += [_faults()]
        else:
            sections.append(f"Value: {_type(step)}." if _is_single(step) else _table(step))
            later += _reachable(step)
        sections.append(_example(STEP_EXAMPLES[kind]))
    sections.append("## Values of steps")
    for below in dict.fromkeys(later):
        if below not in described:
            sections += [f"### {_title(below)}", *_keys(below)]
    outcomes = [f"- `{word}`: {meaning}" for word, meaning in OUTCOMES.items()]
    sections += ["## Outcomes", "- a number from 100 to 599: the status of a complete response\n" + "\n".join(outcomes)]
    return "\n\n".join(section.strip("\n") for section in sections) + "\n"


def _keys(struct: type[msgspec.Struct]) -> list[str]:
    return [summary(struct), _table(struct)] if struct.__struct_fields__ else [summary(struct)]


def _table(struct: type[msgspec.Struct]) -> str:
    hints, docs = get_type_hints(struct, include_extras=True), key_docs(struct)
    rows = []
    for field in msgspec.structs.fields(struct):
        hint = hints[field.name]
        default = written_default(field.default, hint)
        shown = "" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        if field.required:
            shared = any(isinstance(mark, Shared) for mark in getattr(hint, "__metadata__", ()))
            shown = "required, here or through `use`" if shared else "required"
        rows.append((f"`{field.encode_name}`", _type(hint), shown, docs[field.name]))
    return _rows(("key", "value", "default", "meaning"), rows)


def _faults() -> str:
    kinds = [
        (f"`{kind}`", meaning, ", ".join(f"`{name}`" for name in own)) for kind, (meaning, own) in fault_kinds().items()
    ]
    own = {
        (kind, name): schema.get("description", "")
        for kind, (_, keys) in fault_kinds().items()
        for name, schema in keys.items()
    }
    keys = [(f"`{name}` of `{kind}`", meaning) for (kind, name), meaning in own.items()]
    limits = [(f"`{name}`", schema.get("description", "")) for name, schema in fault_limits().items()]
    return "\n\n".join(
        [
            _rows(("kind", "meaning", "its keys"), kinds),
            "Keys of every kind, which select the attempts:",
            _rows(("key", "meaning"), limits),
            "Keys of one kind:",
            _rows(("key", "meaning"), keys),
        ]
    )


def _rows(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _type(hint: Any) -> str:
    """Describe a value, with links to the classes."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        for mark in arguments[1:]:
            match mark:
                case ParsedText(schema={"enum": words}):
                    return _words(words)
                case ParsedText(schema={"anyOf": _}):
                    return "[an outcome](#outcomes)"
                case ParsedText(what=what):
                    return what.partition(" such as")[0]
                case Bounded(low=low, high=high):
                    return f"a whole number from {low}" + ("" if high == INT64_MAX else f" to {high}")
                case OneOf(types=kinds) if kinds is STEPS:
                    return "[steps](#steps)"
                case OneOf(types=kinds):
                    return "one of " + ", ".join(f"`{key}`: {_type(kind)}" for key, kind in kinds.items())
                case Keyed(default=default, types=special):
                    named = "; ".join(f"`{name}`: {_type(one)}" for name, one in special.items())
                    return f"webhooks by name: {_type(default)}; {named}"
        return _type(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_type(one) for one in arguments if one is not type(None))
    if origin is Literal:
        return _words(arguments)
    if origin is dict:
        return f"by name: {_type(arguments[1])}"
    if origin is tuple:
        return f"a list of: {_type(arguments[0])}"
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _words([member.value for member in hint])
    if _is_single(hint):
        return _type(value_hint(hint))
    if _is_struct(hint):
        return f"[{_title(hint)}](#{_title(hint).lower().replace(' ', '-')})"
    return {str: "text", int: "a whole number", float: "a number", bool: "`true` or `false`"}[hint]


def _words(words: Any) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _structs(hint: Any) -> Iterator[type[msgspec.Struct]]:
    """Find the classes that a type names."""
    if _is_single(hint):
        yield from _structs(value_hint(hint))
        return
    if _is_struct(hint):
        yield hint
        return
    for mark in getattr(hint, "__metadata__", ()):
        match mark:
            case Keyed(default=default, types=special):
                for one in (default, *special.values()):
                    yield from _structs(one)
            case OneOf(types=kinds):
                for one in kinds.values():
                    yield from _structs(one)
    for argument in get_args(hint):
        yield from _structs(argument)


def _reachable(struct: type[msgspec.Struct], *, skipped: str = "") -> list[type[msgspec.Struct]]:
    """Return all classes below one, each once."""
    found: list[type[msgspec.Struct]] = []
    for name, hint in get_type_hints(struct, include_extras=True).items():
        if name in struct.__struct_fields__ and name != skipped:
            for one in _structs(hint):
                found += [one, *_reachable(one)]
    return list(dict.fromkeys(found))


def _is_single(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, SingleValue)


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _title(struct: type) -> str:
    """Return the class's name as words."""
    name = struct.__name__.removesuffix("Definition")
    return re.sub(r"(?<=.)([A-Z])", lambda match: f" {match[0].lower()}", name)


def _example(text: str) -> str:
    return f"```yaml\n{text}```"
