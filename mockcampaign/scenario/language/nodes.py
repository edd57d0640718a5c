"""Turns YAML text into nodes that know their file, line and column.

Only plain values are allowed: anchors, aliases and tags are rejected. `use` and `matrix` are resolved here.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from mockcampaign.errors import InvalidInputError
from mockcampaign.text import unknown
from mockcampaign.whole_files import read_whole

DOCUMENT_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 30
"""A scenario has about eight levels. More are an attack or an accident."""

VARIANTS_MAX = 256
"""Most runs of one matrix."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MATRIX = "${matrix."
_MATRIX_VALUE = re.compile(r"\$\{matrix\.([^}]*)\}")
_STR = "tag:yaml.org,2002:str"


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """A document with one value for each key of its matrix."""

    node: yaml.Node
    given: dict[str, str]
    """The values as the file writes them; empty without a matrix."""


class _Named(io.StringIO):
    """Text with the name of its file, which marks take over."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name = name


class Place(msgspec.Struct, frozen=True):
    """The place of a value that comes from no text, such as `expect.opens.delivered`."""

    path: str


def place(mark: Any) -> str:
    """Return `file:line:column`, or the path to a value that comes from no text."""
    if isinstance(mark, Place):
        return mark.path
    return f"{mark.name}:{mark.line + 1}:{mark.column + 1}"


def problem_at(mark: Any, message: str) -> InvalidInputError:
    """Return the error to raise."""
    return InvalidInputError(f"{place(mark)}: {message}")


def compose(path: Path, what: str) -> yaml.Node:
    """Return the one document of a file. Raises `InvalidInputError`, which offers `what` if the file is empty."""
    return compose_text(read_whole(path), str(path), what)


def compose_text(raw: bytes, path: str, what: str) -> yaml.Node:
    """Return the one document of a text, as `compose` does of a file; `path` names it in errors."""
    if len(raw) > DOCUMENT_BYTES_MAX:
        raise InvalidInputError(f"{path}: {len(raw)} bytes, allowed: up to {DOCUMENT_BYTES_MAX}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path}: byte {error.start} is not UTF-8, allowed: UTF-8 text") from None
    try:
        node = _document(_Loader(_Named(text, path)))
    except yaml.MarkedYAMLError as error:
        raise problem_at(error.problem_mark, f"broken YAML: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        # The two parsers count its position differently.
        before = text.partition(chr(error.character))[0]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise InvalidInputError(
            f"{path}:{line}:{column}: character U+{error.character:04X}, allowed: printable ones"
        ) from None
    if node is None:
        raise InvalidInputError(f"{path}:1:1: the file is empty, allowed: {what}")
    return node


_TAGS = {str: "str", bool: "bool", int: "int", float: "float", type(None): "null"}


def composed(value: object, path: str, depth: int = 1) -> yaml.Node:
    """Return the node of a decoded JSON value at this path. Raises `InvalidInputError` if it is nested too deeply."""
    at: Any = Place(path)
    if depth > DEPTH_MAX:
        raise problem_at(at, f"nested deeper than {DEPTH_MAX} levels")
    match value:
        case dict():
            pairs = []
            for name, inner in value.items():
                place_of_key: Any = Place(f"{path}.{name if name.isprintable() else repr(name)}")
                key = yaml.ScalarNode(_STR, name, place_of_key)
                pairs.append((key, composed(inner, place_of_key.path, depth + 1)))
            return yaml.MappingNode("tag:yaml.org,2002:map", pairs, at)
        case list():
            items = [composed(inner, f"{path}[{index}]", depth + 1) for index, inner in enumerate(value)]
            return yaml.SequenceNode("tag:yaml.org,2002:seq", items, at)
    text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
    return yaml.ScalarNode(f"tag:yaml.org,2002:{_TAGS[type(value)]}", text, at)


def _document(loader: Any) -> yaml.Node | None:
    """Return the one document. PyYAML's own composer would follow aliases, tags and any depth."""
    loader.get_event()  # the stream starts
    if loader.check_event(yaml.StreamEndEvent):
        return None
    loader.get_event()
    node = _node(loader, 1)
    loader.get_event()
    if not loader.check_event(yaml.StreamEndEvent):
        raise problem_at(loader.get_event().start_mark, "broken YAML: a second document begins, allowed: one")
    return node


def _node(loader: Any, depth: int) -> yaml.Node:
    event = loader.get_event()
    _check_event(event)
    start, end = event.start_mark, event.end_mark
    if isinstance(event, yaml.ScalarEvent):
        tag = loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        return yaml.ScalarNode(tag, event.value, start, end)
    if depth > DEPTH_MAX:
        raise problem_at(start, f"nested deeper than {DEPTH_MAX} levels")
    items: list[Any] = []
    if isinstance(event, yaml.SequenceStartEvent):
        while not loader.check_event(yaml.SequenceEndEvent):
            items.append(_node(loader, depth + 1))
        loader.get_event()
        return yaml.SequenceNode("tag:yaml.org,2002:seq", items, start, end)
    while not loader.check_event(yaml.MappingEndEvent):
        key = _node(loader, depth + 1)
        items.append((key, _node(loader, depth + 1)))
    loader.get_event()
    return yaml.MappingNode("tag:yaml.org,2002:map", items, start, end)


def _check_event(event: Any) -> None:
    # The text after the sign may be a secret that was not quoted.
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
        raise problem_at(
            event.start_mark,
            f"anchors and aliases are not allowed, write the value out, or quote text that begins with '{sign}'",
        )
    if getattr(event, "tag", None):
        raise problem_at(
            event.start_mark, "tags are not allowed, write a plain value, or quote text that begins with '!'"
        )


def with_used(node: yaml.Node, folder: Path, allowed: Collection[str]) -> tuple[yaml.Node, Path | None]:
    """Return the document together with the content of the file that its key `use` names, and that file.

    Webhooks of both are merged. Other keys that are in both are rejected later, as duplicates.
    """
    use = _value(node, "use")
    if not isinstance(use, yaml.ScalarNode) or use.tag != _STR:
        return node, None  # absent, or not text, which is rejected later
    path = folder / use.value
    if not path.is_file():
        raise problem_at(use.start_mark, f"{path} is not a file, allowed: a path relative to the scenario's folder")
    used = compose(path, f"a mapping of {', '.join(allowed)}")
    if not isinstance(used, yaml.MappingNode):
        raise problem_at(used.start_mark, f"expected a mapping of {', '.join(allowed)}")
    for key, _ in used.value:
        if not isinstance(key, yaml.ScalarNode) or key.value not in allowed:
            shown = key.value if isinstance(key, yaml.ScalarNode) else "…"
            raise problem_at(key.start_mark, unknown("key", shown, allowed))
    pairs = list(node.value)
    for key, value in used.value:
        own = _value(node, key.value)
        if key.value == "webhooks" and isinstance(own, yaml.MappingNode) and isinstance(value, yaml.MappingNode):
            both = yaml.MappingNode(own.tag, [*value.value, *own.value], own.start_mark, own.end_mark)
            pairs = [(name, both if held is own else held) for name, held in pairs]
        else:
            pairs.insert(0, (key, value))
    return yaml.MappingNode(node.tag, pairs, node.start_mark, node.end_mark), path


def variants(node: yaml.Node) -> Iterator[Variant]:
    """Yield the document once for each combination of its matrix, or as it is if it has none."""
    matrix = _value(node, "matrix")
    if matrix is None:
        _reject_references(node)
        yield Variant(node=node, given={})
        return
    values = _matrix_values(matrix)
    _reject_secrets(node)
    rest = yaml.MappingNode(
        node.tag, [pair for pair in node.value if pair[1] is not matrix], node.start_mark, node.end_mark
    )
    used: set[str] = set()
    for combination in itertools.product(*values.values()):
        given = dict(zip(values, combination, strict=True))
        chosen = _substituted(rest, given, used)
        for key in _pairs(matrix):
            if key.value not in used:
                raise problem_at(
                    key.start_mark, f"matrix value {key.value!r} is not used, allowed: ${{matrix.{key.value}}}"
                )
        yield Variant(node=chosen, given={name: value.value for name, value in given.items()})


def _matrix_values(matrix: yaml.Node) -> dict[str, Sequence[yaml.ScalarNode]]:
    values: dict[str, Sequence[yaml.ScalarNode]] = {}
    runs = 1
    for key, node in _pairs(matrix).items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key.value):
            raise problem_at(key.start_mark, f"{key.value!r} is not a name, allowed: letters, digits and _")
        if key.value in values:
            raise problem_at(key.start_mark, f"duplicate key {key.value!r}")
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise problem_at(node.start_mark, "expected a list of at least one value")
        for value in node.value:
            if not isinstance(value, yaml.ScalarNode) or value.tag.endswith(":null"):
                raise problem_at(value.start_mark, "expected a plain value, allowed: text, a number, true or false")
        values[key.value] = node.value
        runs *= len(node.value)
        if runs > VARIANTS_MAX:
            raise problem_at(key.start_mark, f"{runs} runs, allowed: up to {VARIANTS_MAX}")
    if not values:
        raise problem_at(matrix.start_mark, "the matrix is empty, allowed: names with a list of values each")
    return values


def _pairs(matrix: yaml.Node) -> dict[yaml.ScalarNode, yaml.Node]:
    if not isinstance(matrix, yaml.MappingNode):
        raise problem_at(matrix.start_mark, "expected a mapping of names with a list of values each")
    for key, _ in matrix.value:
        if not isinstance(key, yaml.ScalarNode):
            raise problem_at(key.start_mark, "expected a plain key")
    return dict(matrix.value)


def _reject_references(node: yaml.Node) -> None:
    for scalar in _scalars(node):
        found = _MATRIX_VALUE.search(scalar.value)
        if found is not None:
            raise problem_at(scalar.start_mark, f"{found[0]}: the scenario has no `matrix`, allowed with one only")


def _reject_secrets(node: yaml.Node) -> None:
    """Reject credentials from the matrix: its values appear in names, messages and reports."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _reject_secrets(item)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value != "auth":
                _reject_secrets(value)
                continue
            for scalar in _scalars(value):
                if _MATRIX in scalar.value:
                    raise problem_at(
                        scalar.start_mark,
                        "reports would show credentials from the matrix, allowed: ${NAME} or text",
                    )


def _scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, yaml.ScalarNode):
            yield one
        elif isinstance(one, yaml.SequenceNode):
            waiting += reversed(one.value)
        else:
            for key, value in reversed(one.value):
                waiting += (value, key)


def _substituted(node: yaml.Node, given: Mapping[str, yaml.ScalarNode], used: set[str]) -> yaml.Node:
    match node:
        case yaml.SequenceNode():
            items = [_substituted(item, given, used) for item in node.value]
            return yaml.SequenceNode(node.tag, items, node.start_mark, node.end_mark)
        case yaml.MappingNode():
            pairs = [(key, _substituted(value, given, used)) for key, value in node.value]
            return yaml.MappingNode(node.tag, pairs, node.start_mark, node.end_mark)
    if _MATRIX not in node.value:
        return node

    def value(match: re.Match[str]) -> str:
        if match[1] not in given:
            raise problem_at(node.start_mark, unknown("matrix value", match[1], given))
        used.add(match[1])
        text: str = given[match[1]].value
        return text

    whole = _MATRIX_VALUE.fullmatch(node.value)
    text = _MATRIX_VALUE.sub(value, node.value)
    # Alone, it keeps the kind of the value; within text, it is text.
    tag = _STR if whole is None else given[whole[1]].tag
    return yaml.ScalarNode(tag, text, node.start_mark, node.end_mark)


def _value(node: yaml.Node, name: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == name:
                found: yaml.Node = value
                return found
    return None
