"""Wrong usage in one line: what is wrong, where, and what would be allowed."""

from __future__ import annotations

import click

from mockcampaign.text import unknown


def usage_line(error: click.ClickException) -> str:
    """Return the line; click itself would print four."""
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return f"mockcampaign: {_one_line(error.format_message())}"
    return f"{error.ctx.command_path}: {_problem(error, error.ctx)}; see {error.ctx.command_path} --help"


def unknown_command(name: str, commands: list[str], ctx: click.Context) -> click.UsageError:
    """Return the error for a command that does not exist."""
    return click.UsageError(unknown("command", name, commands), ctx)


def _problem(error: click.UsageError, ctx: click.Context) -> str:
    match error:
        case click.NoSuchOption():
            options = [name for parameter in ctx.command.get_params(ctx) for name in parameter.opts if name[0] == "-"]
            return unknown("option", error.option_name, options)
        case click.MissingParameter(param=click.Parameter() as parameter):
            form = " ".join([ctx.command_path, *ctx.command.collect_usage_pieces(ctx)])
            return f"missing {parameter.param_type_name} '{_name(parameter, ctx)}', allowed: {form}"
        case click.BadParameter(param=click.Parameter() as parameter):
            return f"{_name(parameter, ctx)}: {_one_line(error.message)}"
        case _:
            return _one_line(error.format_message())


def _name(parameter: click.Parameter, ctx: click.Context) -> str:
    """Return how the user spells a parameter."""
    return (
        " / ".join(parameter.opts) if isinstance(parameter, click.Option) else " ".join(parameter.get_usage_pieces(ctx))
    )


def _one_line(text: str) -> str:
    """Return a sentence of click as the rest of a line."""
    line = " ".join(text.split()).rstrip(".")
    return line[:1].lower() + line[1:]


class SubCommands(click.Group):
    """A group of commands inside a command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            raise unknown_command(args[0], list(self.commands), ctx)
        return super().resolve_command(ctx, args)
