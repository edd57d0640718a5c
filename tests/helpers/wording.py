"""Checks of the words in the package's texts, as functions over text."""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Text(NamedTuple):
    """A text that a person reads, and where it begins."""

    place: str
    line: int
    text: str


class Ban(NamedTuple):
    """A word that the glossary replaces by another."""

    pattern: str
    instead: str
    legitimate: str = ""
    """Uses in another sense, as a pattern that covers the word."""


_ANY = (
    r"(?:(?:a|all|an|another|any|both|each|equal|every|full|good|its|no|other|same|second|such|the|their|these|those|two|"
    r"whole|your|[\d,]+) ){0,3}"
)
_STORED = r"(?:batch|batches|lists?|events?|body|bodies|fields?)\b"
_SENT = rf"(?:{_STORED}|(?:requests?|credentials|delivery|deliveries)\b)"

BANNED = (
    Ban(r"(?:come|comes|came|coming) again\b", "is retried, or is redelivered"),
    Ban(rf"(?:take|takes|took|taken|taking) (?:over )?{_ANY}{_SENT}", "accept"),
    Ban(
        r"(?:take|takes|took|taken|taking) (?:[\w:'-]+ ){0,7}for "
        r"(?:one|the same|the whole|the end|an? \w+|the next|redelivered)\b",
        "treat as",
        r"taken? for an? (?:minute|second|moment|while)",
    ),
    Ban(
        r"refus(?:e|es|ed|ing|al|als)\b",
        "reject",
        # The operating system refuses connections; `refused` is the kind of outage and the phase named after that.
        r"refus\w+ (?:\w+ )?connections?|connections? (?:\w+ )?refus\w+|`refused`|kind: refused|"
        r"refused, unreachable|\[refused,",
    ),
    Ban(r"(?:answer|answers|answered|answering|unanswered)\b", "respond, response"),
    Ban(
        r"(?:tell|tells|telling|told)\b",
        "report, show or say",
        r"(?:tell|tells|told) (?:a |the )?(?:you|users?|readers?|developers?|person)\b",
    ),
    Ban(
        r"accounts?\b",
        "probe",
        r"user accounts?|lock the account|into account|accounts? for|all accounts without a label|"
        # Entries in a ledger.
        r"accounts? of (?:one|all) webhooks?|webhook's account|accounts by webhook",
    ),
    Ban(
        r"(?:oddity|oddities|odd (?:fields?|events?|values?|ones?))\b", "edge case", r"loses odd event"
    ),  # The last one of an odd number.
    Ban(r"(?:digest|digests|digested|digesting)\b", "handle", r"digest auth\w*|hex digest|SHA-?256 digest"),
    Ban(r"(?:an?|the|one|two|second|same|each|every|which|such|equal) acts?\b|acts of\b", "open, click or event"),
    Ban(r"(?:mend|mends|mended|mending)\b", "fix, or end an outage"),
    Ban(r"(?:modelled|modeled)\b", "simulated"),
    Ban(r"(?:at rest|(?:come|comes|came) to rest|nothing waits)\b", "idle"),
    Ban(r"not exercised\b", "skipped"),
    Ban(r"(?:could|can|cannot|can not|can't) (?:not )?tell\b", "inconclusive, or distinguish"),
    Ban(r"rest(?:s|ed|ing)? on\b", "depends on"),
    Ban(r"(?:rely|relies|relied|relying) on\b", "assumes"),
    Ban(rf"(?:keep|keeps|kept|keeping) {_ANY}{_STORED}", "store"),
    Ban(r"doubl(?:es|ed|ing)\b", "duplicate", r"test doubles|as with doubles"),
    Ban(
        r"(?:give|gives|gave|given|giving) up\b",
        "discard, expire or stop",
        r"(?:give|gives|gave|given|giving) up waiting",
    ),
    Ban(r"sendings\b|(?:a|one|the|each|every) sending\b", "attempt", r"the sending (?:side|program|process|system)"),
    Ban(r"(?:repetition|repetitions)\b", "retry, or redelivery", r"without repetitions?"),
    Ban(r"says? success\b", "acknowledges"),
    Ban(
        r"(?:lists of (?:\w+ )?events|lists of every size|event lists?|"
        r"(?:full|small|rejected|accepted|repeated) lists?)\b",
        "batch",
    ),
    Ban(r"events? (?:is|are|was|were) gone\b", "expired"),
    Ban(r"unfold(?:s|ed|ing)?\b", "occur"),
    Ban(r"wall's clock\b", "wall time"),
    Ban(
        r"of which\b",
        "a sentence of its own",
        r"(?:all|any|both|each|few|first|last|many|most|none|one|some|two) of which",
    ),
    Ban(r"be it\b", "whether"),
    Ban(r"(?:one|clients?|webhooks?|\d+) without it\b", "default: …"),
    Ban(r"otherwise than\b", "differently from"),
    Ban(rf"(?:bring|brings|brought|bringing) {_ANY}{_SENT}", "deliver"),
)
"""The glossary's words not to say, and the ones to say instead. Patterns begin at a word's beginning."""

NAMES = {
    **dict.fromkeys(("answer", "answers", "answered", "unanswered"), "response"),
    **dict.fromkeys(("refuse", "refuses", "refusal"), "reject"),
    **dict.fromkeys(("tell", "tells", "told"), "report, show or distinguish"),
    **dict.fromkeys(("mend", "mends", "mended"), "fix or end"),
    **dict.fromkeys(("oddity", "oddities"), "edge case"),
    **dict.fromkeys(("repetition", "repetitions"), "retry or redelivery"),
    "modelled": "simulated",
}
"""Words that no name of a class, function, argument or variable contains, and the ones to use instead."""

LEANING = ("Of", "By", "The same", "Those", "What")
"""First words of fragments that lean on a neighbour, and mean nothing in an editor's hover."""


def banned_words(texts: Iterable[Text], banned: Iterable[Ban] = BANNED) -> Iterator[str]:
    """Find words that the glossary replaces, each with its place and what to say instead."""
    patterns = [
        (_compiled(rf"(?<![\w-])(?:{ban.pattern})(?!-)"), _compiled(ban.legitimate or "(?!)"), ban.instead)
        for ban in banned
    ]
    for place, line, text in texts:
        for pattern, legitimate, instead in patterns:
            for match in pattern.finditer(text):
                start, end = match.span()
                if not any(one.start() <= start and end <= one.end() for one in legitimate.finditer(text)):
                    at = line + text.count("\n", 0, start)
                    yield f"{place}:{at} says {' '.join(match[0].split())!r}: say {instead}"


def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern, whose spaces also match the end of a line."""
    return re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE)


def leaning_docstrings(place: str, source: str) -> Iterator[str]:
    """Find docstrings whose first line does not stand alone."""
    for line, text in docstrings(source):
        for start in LEANING:
            if re.match(rf"{start}\b", text.lstrip()):
                yield f"{place}:{line} begins with {start!r}: write a sentence that stands alone"


def banned_names(place: str, source: str, allowed: Iterable[str] = ()) -> Iterator[str]:
    """Find names that contain a word that the glossary replaces."""
    for node in ast.walk(_parsed(source)):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                line = node.lineno
            case ast.arg(arg=name, lineno=line) | ast.Name(id=name, ctx=ast.Store(), lineno=line):
                pass
            case _:
                continue
        for word in re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_"):
            if word in NAMES and name not in allowed:
                yield f"{place}:{line} names {name!r}: say {NAMES[word]}"


@functools.lru_cache(maxsize=1)
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Find the docstrings of modules, classes, functions and attributes, each with its line."""
    for node in _docstring_nodes(_parsed(source)):
        yield node.lineno, str(node.value)


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Find the prose among a module's string literals. A value inside an f-string is shown as `{}`."""
    tree = _parsed(source)
    skipped: set[ast.AST] = set(_docstring_nodes(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [one for one in node.values if isinstance(one, ast.Constant)]
            skipped.update(parts)
            text = "".join(str(one.value) if one in parts else "{}" for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            text = node.value
        else:
            continue
        if re.search(r"\s", text.strip()):
            yield node.lineno, text


def comments(source: str) -> Iterator[tuple[int, str]]:
    """Find the comments of a module, each with its line."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def prose(markdown: str) -> str:
    """Return a Markdown page with its code blanked out, line for line."""
    page = re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), markdown, flags=re.DOTALL | re.MULTILINE)
    page = re.sub(r"^ {4}.*$", "", page, flags=re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "``", page)


def _docstring_nodes(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "handlers", "finalbody"):
            statements = getattr(node, name, ())
            for statement in statements if isinstance(statements, list) else ():
                match statement:
                    case ast.Expr(value=ast.Constant(value=str()) as constant):
                        yield constant
