"""The public names as text: those of Python with their signatures, and those of the command line."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from types import GenericAlias
from typing import Any, is_typeddict

import click
import msgspec

from mockcampaign.cli import cli
from mockcampaign.pytest_plugin import MARKER, REPORTS
from places import ROOT

MODULES = ("mockcampaign", "mockcampaign.pytest_plugin", "mockcampaign.strategies", "mockcampaign.errors")
"""Modules all of whose exported names are public."""

OBJECTS = (
    "mockcampaign.double.control.deliveries.Delivery",
    "mockcampaign.double.mail_handle.Mail",
    "mockcampaign.double.standalone.StandaloneCampaign",
    "mockcampaign.events.Rates",
    "mockcampaign.model.BasicAuthentication",
    "mockcampaign.model.EventType",
    "mockcampaign.model.KeyAuthentication",
    "mockcampaign.model.NoAuthentication",
    "mockcampaign.pytest_plugin.check_options.CheckOptions",
    "mockcampaign.pytest_plugin.histories_fixture.CampaignHistories",
)
"""Public objects of other modules: what the public calls take and return."""

ENGINE = "mockcampaign.Campaign"
"""The engine behind `mockcampaign.campaign`: its name is public, its methods are not."""

OF_FIXTURES = ("check_end", "close", "example", "forgotten_await", "leave_loop", "release")
"""Methods by which the plugin ends what a fixture began. No test calls them."""


def lines() -> Iterator[str]:
    """Yield a line for each public name, in an order that depends on the names alone."""
    for name in MODULES:
        module = import_module(name)
        exported = getattr(module, "__all__", None) or _classes_of(module)
        yield f"\n# {name}"
        for one in sorted(exported):
            yield from _described(f"{name}.{one}", getattr(module, one))
    yield "\n# What they take and return"
    for path in OBJECTS:
        module_name, _, one = path.rpartition(".")
        yield from _described(path, getattr(import_module(module_name), one))
    yield "\n# mockcampaign.locust"
    yield from _locust_user()
    yield "\n# pytest"
    yield f"@pytest.mark.{MARKER.partition(':')[0]}"
    plugin = (ROOT / "mockcampaign/pytest_plugin/__init__.py").read_text()
    options = {*re.findall(r'"(--mockcampaign-[a-z-]+)"', plugin), *(f"--mockcampaign-{name}" for name in REPORTS)}
    yield from sorted(f"pytest {option}" for option in options)
    yield from sorted(f"fixture {name}" for name in re.findall(r"@pytest\.fixture.*\ndef ([a-z]\w+)\(", plugin))
    yield "\n# Commands"
    yield from _commands(cli, "mockcampaign")


def _classes_of(module: Any) -> list[str]:
    return [
        name
        for name, one in vars(module).items()
        if inspect.isclass(one) and one.__module__ == module.__name__ and not name.startswith("_")
    ]


def _described(path: str, one: Any) -> Iterator[str]:
    if inspect.isclass(one) and not isinstance(one, GenericAlias):
        yield from _class(path, one)
    elif inspect.isroutine(one) or inspect.ismodule(one):
        yield f"{path}{_signature(one)}"
    else:
        yield f"{path}: {type(one).__name__}"


def _class(path: str, one: Any) -> Iterator[str]:
    if path == ENGINE:
        yield path
        return
    if is_typeddict(one):
        yield f"{path}"
        yield from (f"{path}[{key!r}]: {_text(value)}" for key, value in sorted(one.__annotations__.items()))
        return
    parents = ", ".join(parent.__name__ for parent in one.__bases__ if parent is not object)
    yield f"{path}({parents})" if parents else path
    if issubclass(one, msgspec.Struct):
        yield from (f"{path}.{field.name}{'' if field.required else ' = …'}" for field in msgspec.structs.fields(one))
    is_described = not issubclass(one, BaseException | msgspec.Struct)
    for name, member in sorted(inspect.getmembers_static(one)):
        # Users make a `StandaloneCampaign`; pytest makes the others.
        is_call = name == "__call__" or (name == "__init__" and one.__name__ == "StandaloneCampaign")
        if not is_described or name in OF_FIXTURES or (name.startswith("_") and not is_call):
            continue
        home = next((parent for parent in one.__mro__ if name in vars(parent)), object)
        if not home.__module__.startswith("mockcampaign"):
            continue
        if isinstance(member, classmethod | staticmethod):
            member = member.__func__
        if inspect.isfunction(member):
            yield f"{path}.{name}{_signature(member)}"
        elif isinstance(member, property):
            yield f"{path}.{name}: {_text(inspect.get_annotations(member.fget).get('return', ''))}"
        else:
            yield f"{path}.{name}"


def _signature(one: Any) -> str:
    return re.sub(r"= (\w+)\([^()]*\)", r"= \1(…)", str(inspect.signature(one)))


def _text(annotation: object) -> str:
    if isinstance(annotation, str):
        return annotation
    # Annotations of a `TypedDict` are references with the text in them.
    return str(getattr(annotation, "__forward_arg__", annotation))


def _locust_user() -> Iterator[str]:
    """Yield the attributes of `CampaignUser`, from its source: importing Locust changes Python's library."""
    tree = ast.parse((ROOT / "mockcampaign/locust/__init__.py").read_text())
    [user] = [one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == "CampaignUser"]
    yield f"mockcampaign.locust.CampaignUser({', '.join(map(ast.unparse, user.bases))})"
    for one in user.body:
        if isinstance(one, ast.AnnAssign) and not ast.unparse(one.target).startswith("_"):
            yield f"mockcampaign.locust.CampaignUser.{ast.unparse(one.target)}: {ast.unparse(one.annotation)}"


def _commands(command: click.Command, path: str) -> Iterator[str]:
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    yield " ".join([path, *(one.make_metavar(click.Context(command)) for one in arguments)])
    for option in command.params:
        if isinstance(option, click.Option):
            variables = option.envvar if isinstance(option.envvar, str) else ""
            metavar = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
            yield f"{path} {'/'.join(option.opts)}{metavar}{f' (or {variables})' if variables else ''}"
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _commands(found, f"{path} {name}")
