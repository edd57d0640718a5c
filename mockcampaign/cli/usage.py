"""Wrong usage in one line: what is wrong, where, and what would be allowed."""

from __future__ import annotations

from typing import Any

import click

from mockcampaign.text import unknown


def usage_line(error: click.ClickException) -> str:
    """The line, where click itself would take four."""
    said = " ".join(error.format_message().split()).rstrip(".")
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return f"mockcampaign: {_lower(said)}"
    ctx = error.ctx
    return f"{ctx.command_path}: {_problem(error, ctx, _lower(said))}; see {ctx.command_path} --help"


def unknown_command(name: str, commands: list[str], ctx: click.Context) -> click.UsageError:
    """The error for a command that does not exist."""
    return click.UsageError(unknown("command", name, commands), ctx)


def _problem(error: click.UsageError, ctx: click.Context, said: str) -> str:
    form = " ".join([ctx.command_path, *ctx.command.collect_usage_pieces(ctx)])
    match error:
        case click.NoSuchOption():
            options = [name for parameter in ctx.command.get_params(ctx) for name in parameter.opts if name[0] == "-"]
            return unknown("option", error.option_name, options)
        case click.MissingParameter():
            return f"{said.partition('. ')[0]}, allowed: {form}"
        case click.BadParameter(param=click.Parameter() as parameter):
            hint = parameter.get_error_hint(ctx).strip("'").replace("' / '", " / ")
            return f"{hint}: {_found(error.message.rstrip('.'), parameter.type)}"
    if said.startswith("got unexpected extra argument"):
        return f"{said.partition(' (')[0]}, allowed: {form}"  # unnamed: it may be a password that a space has cut off
    return said


def _found(said: str, kind: click.ParamType[Any]) -> str:
    value = said.partition(" is not ")[0]
    match kind:
        case click.Choice(choices=choices):
            return f"{value}, allowed: {', '.join(map(str, choices))}"
        case click.IntRange(min=least, max=most) | click.FloatRange(min=least, max=most):
            return f"{value}, allowed: a number from {least}{'' if most is None else f' to {most}'}"
        case click.Path(dir_okay=file_or_folder, exists=exists):
            return f"{said}, allowed: a {'folder' if file_or_folder else 'file'}{' that exists' if exists else ''}"
    return said


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
