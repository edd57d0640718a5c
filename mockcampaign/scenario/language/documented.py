"""Docstrings of classes and of their fields. Python keeps those of fields only in the source."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from collections.abc import Iterator
from typing import get_args, get_type_hints

import msgspec

from mockcampaign.scenario.language.annotations import SingleValue


@functools.cache
def field_docs(value_type: type) -> dict[str, str]:
    """Return the docstring of each field that has one, on one line, inherited fields included."""
    docs: dict[str, str] = {}
    for owner in reversed(value_type.__mro__):
        if owner.__module__.startswith("mockcampaign."):
            docs |= _docs_of_module(owner.__module__)[owner.__qualname__]
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


@functools.cache
def _docs_of_module(name: str) -> dict[str, dict[str, str]]:
    """Return the docstrings of fields by the qualified name of its class: `inspect` parses a module for each class."""
    tree = ast.parse(inspect.getsource(sys.modules[name]))
    return {class_name: _own_docs(definition) for class_name, definition in _classes(tree.body)}


def _classes(body: list[ast.stmt], place: str = "") -> Iterator[tuple[str, ast.ClassDef]]:
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield place + statement.name, statement
            yield from _classes(statement.body, f"{place}{statement.name}.")


def _own_docs(definition: ast.ClassDef) -> dict[str, str]:
    docs = {}
    for statement, following in zip(definition.body, definition.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                docs[name] = " ".join(text.split())
    return docs
