"""Lines of styled text, and how they fit the columns of a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

Style = dict[str, str | bool]
Styled = tuple[str, Style]
"""A piece of a line with the style in which a terminal may show it (keywords of `click.style`)."""

PLAIN: Style = {}


class Copyable(str):
    """Text to copy as it is, such as a command for a shell: its line is never folded."""


def folded(line: list[Styled], width: int) -> Iterator[list[Styled]]:
    """Yield the line in parts that fit. What is too long continues below the beginning of its last piece."""
    if any(isinstance(text, Copyable) for text, _ in line) or sum(cells(text) for text, _ in line) <= width:
        yield line
        return
    *before, (text, style) = line
    lead = sum(cells(piece) for piece, _ in before)
    bare = text.lstrip(" ")
    if lead > width // 2:
        # No room beside what stands before it, which may be too long itself.
        *rest, (last, last_style) = before
        indent = sum(cells(piece) for piece, _ in rest) + len(last) - len(last.lstrip(" ")) + 4
        yield from folded([*rest, (last.rstrip(" "), last_style)], width)
        yield from ([(" " * indent, PLAIN), (part, style)] for part in _wrapped(bare, width - indent))
        return
    indent = lead + len(text) - len(bare)
    parts = _wrapped(bare, width - indent)
    yield [*before, (" " * (indent - lead) + next(parts, ""), style)]
    yield from ([(" " * indent, PLAIN), (part, style)] for part in parts)


def _wrapped(text: str, width: int) -> Iterator[str]:
    """Break the text between words, and inside a word only if it is longer than a line."""
    width = max(width, 8)
    part = ""
    for word in text.split(" "):
        while True:
            joined = f"{part} {word}" if part else word
            if cells(joined) <= width:
                part = joined
                break
            if part:
                yield part
                part = ""
                continue
            kept = _fitting(word, width)
            yield word[:kept]
            word = word[kept:]
    yield part


def fitted(text: str, width: int) -> str:
    """Return the text in exactly this many columns, cut off or padded with spaces."""
    text = cut(text, width)
    return text + " " * (width - cells(text))


def cut(text: str, width: int) -> str:
    """Return the text, cut off if it takes more columns than this."""
    return text if cells(text) <= width else text[: _fitting(text, width - 1)] + "…"


def _fitting(text: str, width: int) -> int:
    """Return how many characters fit, at least one."""
    used = 0
    for index, char in enumerate(text):
        used += cells(char)
        if used > width:
            return max(index, 1)
    return len(text)


def cells(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    return len(text) if text.isascii() else sum(_cells_of(char) for char in text)


def _cells_of(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
