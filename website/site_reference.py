"""The generated parts of the reference, in Markdown, from the definitions that the program itself works by."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, get_args

import click
import msgspec

from mockcampaign.cli import cli
from mockcampaign.engine import journal
from mockcampaign.engine.journal_file import Heading
from mockcampaign.policy import DEFAULT_CLIENT_ID, Policy
from mockcampaign.pytest_plugin import MARKER, pytest_addoption
from mockcampaign.report.json_report import json_schema
from mockcampaign.scenario.language.documented import field_docs, summary
from mockcampaign.server.app import APIS
from mockcampaign.server.http.openapi import document

Schema = Mapping[str, Any]

_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)


def prose(text: str) -> str:
    """Return a sentence of the program as Markdown that shows it as it is, but for its code between backticks."""
    pieces, end = [], 0
    for code in _CODE.finditer(text):
        pieces += [_escaped(text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*pieces, _escaped(text[end:])])


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_\[\]|])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")


def defined(terms: Mapping[str, str]) -> str:
    """Return a list of terms with their meanings."""
    return "\n\n".join(f"{term}\n:   {meaning or '…'}" for term, meaning in terms.items())


def commands() -> str:
    """Describe each command with its arguments and options."""
    parts = []
    for command, context in _all_commands(cli, click.Context(cli, info_name="mockcampaign")):
        path = context.command_path.partition(" ")[2]
        parts.append(f"{'##' if ' ' not in path else '###'} `{path}`")
        parts += [prose(part) for part in (command.help or "").replace("\b", "").split("\n\n")]
        parts.append(f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```")
        if not isinstance(command, click.Group) and (options := dict(_options(command, context))):
            parts.append(defined(options))
    return "\n\n".join(parts)


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    for option, (written, said) in _shown(command, context):
        variable = _variable(option, context)
        yield f"`{written}`", prose(said) + (f" Environment variable: `{variable}`." if variable else "")


def _shown(command: click.Command, context: click.Context) -> Iterator[tuple[click.Option, tuple[str, str]]]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None and "--help" not in parameter.opts:
            yield parameter, record


def _variable(option: click.Option, context: click.Context) -> str:
    if isinstance(option.envvar, str):
        return option.envvar
    prefix, name = context.auto_envvar_prefix, option.name
    return f"{prefix}_{name.upper()}" if prefix and name else ""


def environment() -> str:
    """Name the environment variables that stand for options, except for those of a whole command."""
    options: dict[str, str] = {}
    users: dict[str, list[str]] = {}
    for command, context in _all_commands(cli, click.Context(cli, info_name="mockcampaign")):
        for option, _ in _shown(command, context):
            if isinstance(option.envvar, str):
                options[option.envvar] = option.opts[0]
                users.setdefault(option.envvar, []).append(f"`{context.command_path.partition(' ')[2]}`")
    rows = [f"| `{name}` | `{option}` | {', '.join(users[name])} |" for name, option in sorted(options.items())]
    return "\n".join(["| variable | stands for | of |", "|---|---|---|", *rows])


def _all_commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, parent=context, info_name=name, **command.context_settings)
        yield command, inner
        if isinstance(command, click.Group):
            yield from _all_commands(command, inner)


class _Recorded:
    """Stands for pytest's parser, and keeps what a plugin adds to it."""

    def __init__(self) -> None:
        self.options: dict[str, str] = {}
        self.settings: dict[str, str] = {}

    def getgroup(self, name: str, description: str) -> _Recorded:
        return self

    def addoption(self, option: str, *, help: str, metavar: str = "", **more: object) -> None:  # noqa: A002
        self.options[f"`{f'{option} {metavar}'.rstrip()}`"] = prose(help)

    def addini(self, name: str, help: str, *, default: object = True, **more: object) -> None:  # noqa: A002
        self.settings[f"`{name}`"] = f"{prose(help[:1].upper() + help[1:])} (default: `{json.dumps(default)}`)."


def pytest_settings() -> str:
    """Describe the options, settings and marker of the pytest plugin."""
    recorded = _Recorded()
    pytest_addoption(recorded)  # type: ignore[arg-type]
    call, _, said = MARKER.partition(": ")
    parts = ("### Options", recorded.options), ("### In the ini file", recorded.settings)
    marker = f"### The marker\n\n`@pytest.mark.{call}`\n:   {prose(said[:1].upper() + said[1:])}."
    return "\n\n".join([*(f"{title}\n\n{defined(terms)}" for title, terms in parts), marker])


def policy() -> str:
    """Describe each number of the sender, with its default and its source."""
    docs, shared = field_docs(Policy), ""
    terms = {}
    for field in reversed(msgspec.structs.fields(Policy)):
        shared = docs.get(field.name, shared)  # a docstring may be that of several fields
        terms[f"`{field.name}` = `{field.default!r}`"] = prose(shared)
    return defined(dict(reversed(terms.items())))


def journal_entries() -> str:
    """Describe each line of a journal file."""
    return "\n\n".join(
        f"### `{kind.__struct_config__.tag}`\n\n{prose(summary(kind))}\n\n{_fields(kind)}"
        for kind in (Heading, *get_args(journal.Entry))
    )


def _fields(kind: type[msgspec.Struct]) -> str:
    docs = field_docs(kind)
    rows = []
    for field in msgspec.structs.fields(kind):
        need = "required" if field.required else "optional"
        rows.append(f"| `{field.encode_name}` | {need} | {prose(docs.get(field.name, ''))} |")
    return "\n".join(["| key | | meaning |", "|---|---|---|", *rows])


def report() -> str:
    """Describe each object of the JSON report."""
    schema = json.loads(json_schema())
    classes = {kind.__name__: kind for kind in _structs(msgspec.Struct)}
    parts = []
    for name, definition in schema["$defs"].items():
        docs = field_docs(classes[name]) if name in classes else {}
        parts += [
            f"### {name}",
            prose(definition.get("description", "").partition("\n\n")[0]),
            _object(definition, docs),
        ]
    return "\n\n".join(part for part in parts if part)


def _structs(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for one in kind.__subclasses__():
        if one.__module__.startswith("mockcampaign."):
            yield one
        yield from _structs(one)


def _object(definition: Schema, docs: Mapping[str, str]) -> str:
    if "properties" not in definition:
        return f"Value: {_kind(definition)}."
    required = definition.get("required", ())
    rows = [
        f"| `{name}` | {_kind(schema)} | {'required' if name in required else 'optional'} "
        f"| {prose(schema.get('description') or docs.get(name, ''))} |"
        for name, schema in definition["properties"].items()
    ]
    return "\n".join(["| key | value | | meaning |", "|---|---|---|---|", *rows])


def _kind(schema: Schema) -> str:
    """Say in a few words which values a schema allows."""
    match schema:
        case {"$ref": str(reference)}:
            name = reference.rpartition("/")[2]
            return f"[{name}](#{name.lower()})"
        case {"anyOf": list(kinds)} | {"oneOf": list(kinds)}:
            return " or ".join(_kind(kind) for kind in kinds)
        case {"enum": list(words)}:
            return ", ".join(f"`{word}`" for word in words)
        case {"const": value}:
            return f"`{value}`"
        case {"type": "array", "prefixItems": list(kinds)}:
            return f"a list of {len(kinds)}: {', '.join(_kind(kind) for kind in kinds)}"
        case {"type": "array", "items": Mapping() as kind} if kind:
            return f"a list of: {_kind(kind)}"
        case {"type": "object", "additionalProperties": Mapping() as kind} if kind:
            return f"by name: {_kind(kind)}"
        case {"type": str(name)}:
            return {"string": "text", "integer": "a whole number", "array": "a list"}.get(name, name)
        case _:
            return "any value"


def http_api() -> str:
    """Describe each operation of the REST API and of the control API."""
    api = json.loads(document(APIS, DEFAULT_CLIENT_ID))
    tags: dict[str, list[str]] = {tag["name"]: [] for tag in api["tags"]}
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            tags[operation["tags"][0]].append(_operation(method, path, operation))
    parts = [f"## {tag}\n\n" + "\n\n".join(operations) for tag, operations in tags.items()]
    schemas = [
        f"### {name}\n\n{prose(schema.get('description', ''))}\n\n{_object(schema, {})}"
        for name, schema in sorted(api["components"]["schemas"].items())
    ]
    return "\n\n".join([*parts, "## Objects", *schemas])


def _operation(method: str, path: str, operation: Schema) -> str:
    parts = [f"### {operation['summary']}", f"`{method.upper()} {path}` (`{operation['operationId']}`)"]
    parts.append(prose(operation.get("description", "")))
    rows = [
        f"| `{field['name']}` | {field['in']} | {_kind(field['schema'])} | {'required' if field['required'] else ''} "
        f"| {prose(field['schema'].get('description', ''))} |"
        for field in operation["parameters"]
    ]
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = content["schema"]
        if "properties" not in schema:
            parts.append(f"Body: `{media_type}`, {_kind(schema)}.")
        for name, field in schema.get("properties", {}).items():
            required = "required" if name in schema.get("required", ()) else ""
            place = "form" if "form" in media_type else "body"
            rows.append(f"| `{name}` | {place} | {_kind(field)} | {required} | {prose(field.get('description', ''))} |")
    if rows:
        parts.append("\n".join(["| field | in | value | | meaning |", "|---|---|---|---|---|", *rows]))
    responses = [f"`{status}`\n:   {_response(response)}" for status, response in operation["responses"].items()]
    return "\n\n".join(part for part in (*parts, *responses) if part)


def _response(response: Schema) -> str:
    kinds = {_kind(content["schema"]) for content in response.get("content", {}).values()}
    body = f" {', '.join(sorted(kinds))}." if kinds else ""
    return f"{prose(response['description'].rstrip('.'))}.{body}"


def fixtures() -> str:
    """Name the objects of the public Python API, whose docstrings mkdocstrings shows."""
    public = {
        "## The fixture `campaign`": "mockcampaign.double.control.campaign_control.CampaignControl",
        "## The fixture `campaign_server`": "mockcampaign.pytest_plugin.server_fixture.CampaignServer",
        "## The fixture `campaign_server_factory`": "mockcampaign.pytest_plugin.server_fixture.CampaignServerFactory",
        "## The fixture `campaign_check`": "mockcampaign.pytest_plugin.check_fixture.CampaignCheck",
        "## Options of `campaign_check`": "mockcampaign.pytest_plugin.check_options.CheckOptions",
        "## The fixture `campaign_histories`": "mockcampaign.pytest_plugin.histories_fixture.CampaignHistories",
        "## Without pytest: `mockcampaign.campaign`": "mockcampaign.double.standalone.StandaloneCampaign",
        "## Deliveries": "mockcampaign.double.control.deliveries.Delivery",
        "## The clock": "mockcampaign.double.control.campaign_clock.CampaignClock",
        "## A mail": "mockcampaign.double.mail_handle.Mail",
        "## Strategies for Hypothesis": "mockcampaign.strategies",
    }
    for path in public.values():
        module, _, name = path.rpartition(".")
        import_module(path) if name.islower() else getattr(import_module(module), name)  # what is moved fails here
    return "\n\n".join(f"{heading}\n\n::: {path}" for heading, path in public.items())


GENERATED: dict[str, Callable[[], str]] = {
    "commands": commands,
    "environment": environment,
    "pytest": pytest_settings,
    "policy": policy,
    "journal": journal_entries,
    "report": report,
    "http": http_api,
    "python": fixtures,
}
"""What replaces `<!-- generated: NAME -->` in a page."""

_MARK = re.compile(r"^(?:The list is not in this file:(?:.+\n)+\n)?<!-- generated: (?P<name>\w+) -->$", re.MULTILINE)


def with_generated(markdown: str) -> str:
    """Return the page with the generated parts in the places that it marks, instead of a remark for other readers."""
    return _MARK.sub(lambda mark: GENERATED[mark["name"]](), markdown)
