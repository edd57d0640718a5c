"""Docstrings of classes and of their fields. Python keeps those of fields only in the source."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from typing import get_args, get_type_hints

import msgspec

from mockcampaign.scenario.language.annotations import SingleValue


@functools.cache
def field_docs(value_type: type) -> dict[str, str]:
    """Return the docstring of each field that has one, on one line, inherited fields included."""
    docs: dict[str, str] = {}
    for owner in reversed(value_type.__mro__):
        if owner.__module__.startswith("mockcampaign."):
            docs |= _own_docs(owner)
    return docs


def key_docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Return what each key means: the field's docstring, or that of the class whose value the key contains."""
    docs = {}
    for name, hint in get_type_hints(struct, include_extras=True).items():
        for part in get_args(hint):
            if isinstance(part, type) and issubclass(part, SingleValue):
                docs[name] = summary(part)
    return docs | field_docs(struct)


def summary(value_type: type) -> str:
    """Return the first paragraph of the class's docstring, on one line."""
    return " ".join(inspect.cleandoc(value_type.__doc__ or "").partition("\n\n")[0].split())


def _own_docs(owner: type) -> dict[str, str]:
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(definition, ast.ClassDef)
    docs = {}
    for statement, following in zip(definition.body, definition.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                docs[name] = " ".join(text.split())
    return docs
