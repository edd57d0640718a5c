"""The paths of an API as a tree of their segments. Patterns would take a third of a server's start to compile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Paths(Generic[Value]):
    """Values by paths in which `{name}` stands for any one segment. A segment that stands in a path itself wins."""

    def __init__(self) -> None:
        self._fixed: dict[str, Paths[Value]] = {}
        self._any: Paths[Value] | None = None
        self._names: tuple[str, ...] = ()
        self._value: Value | None = None

    def setdefault(self, path: str, value: Value) -> Value:
        """Return the value of the path, which is this one if it has none yet."""
        node, names = self, list[str]()
        for segment in path.split("/"):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                if node._any is None:
                    node._any = Paths()
                node = node._any
            else:
                node = node._fixed.setdefault(segment, Paths())
        if node._value is None:
            node._names, node._value = tuple(names), value
        return node._value

    def find(self, path: str) -> tuple[Value, dict[str, str]] | None:
        """Return the value of the path that fits this one, and its segments by the names for which they stand."""
        found = self._find(path.split("/"), 0)
        if found is None:
            return None
        value, names, texts = found
        return value, dict(zip(names, reversed(texts), strict=True))

    def _find(self, segments: Sequence[str], index: int) -> tuple[Value, tuple[str, ...], list[str]] | None:
        if index == len(segments):
            return None if self._value is None else (self._value, self._names, [])
        segment = segments[index]
        fixed = self._fixed.get(segment)
        if fixed is not None and (found := fixed._find(segments, index + 1)) is not None:
            return found
        if self._any is None or not segment:
            return None
        found = self._any._find(segments, index + 1)
        if found is not None:
            found[2].append(segment)
        return found
