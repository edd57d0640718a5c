"""Selects plans by their tags and names."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Sequence

from mockcampaign.errors import InvalidInputError
from mockcampaign.scenario.plan import Plan
from mockcampaign.text import unknown

_TOKEN = re.compile(r"\(|\)|[^\s()]+")
_OPERATORS = {"and", "or", "not", "(", ")"}


def select(plans: Sequence[Plan], *, tags: Collection[str] = (), expression: str = "") -> list[Plan]:
    """Return the plans that have one of the tags, and whose name, file or tags match the expression.

    Raises `InvalidInputError` if no plan is left, or if no scenario has a tag.
    """
    known = dict.fromkeys(tag for plan in plans for tag in plan.scenario.tags)
    for tag in tags:
        if tag not in known:
            raise InvalidInputError(f"--tag: {unknown('tag', tag, known)}")
    matches = compile_expression(expression) if expression.strip() else lambda text: True
    chosen = [
        plan
        for plan in plans
        if (not tags or not set(tags).isdisjoint(plan.scenario.tags))
        and matches(" ".join([plan.name, plan.path.name, *plan.scenario.tags]))
    ]
    if not chosen:
        named = ", ".join(plan.name for plan in plans[:5]) + (", …" if len(plans) > 5 else "")
        raise InvalidInputError(f"no scenario matches (found: {named})")
    return chosen


def compile_expression(expression: str) -> Callable[[str], bool]:
    """Return a predicate like that of pytest's `-k`: words in a text, case-insensitive, with `and`, `or`, `not` and
    parentheses.

    Raises `InvalidInputError` if the expression is not valid.
    """
    tokens = _TOKEN.findall(expression)
    words = [token for token in tokens if token not in _OPERATORS]
    names = iter(range(len(words)))
    # Words may contain any character, so Python's grammar gets numbers instead.
    code = " ".join(token if token in _OPERATORS else str(next(names)) for token in tokens)
    try:
        tree = ast.parse(code, mode="eval").body
        _matches(tree, words, "")
    except (SyntaxError, ValueError):
        raise InvalidInputError(
            f"-k {expression!r} is not an expression, allowed: words with and, or, not and parentheses"
        ) from None
    return lambda text: _matches(tree, words, text.lower())


def _matches(node: ast.expr, words: Sequence[str], text: str) -> bool:
    match node:
        case ast.Constant(value=int(index)):
            return words[index].lower() in text
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _matches(operand, words, text)
        case ast.BoolOp(op=operator, values=values):
            found = [_matches(value, words, text) for value in values]
            return all(found) if isinstance(operator, ast.And) else any(found)
        case _:
            raise ValueError(ast.dump(node))
