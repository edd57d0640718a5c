"""The command line that repeats the command that is running, to be copied from its report."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import click

from mockcampaign.cli.parameters import DurationType
from mockcampaign.durations import format_duration
from mockcampaign.masking import may_contain_secret, shown_url


def same_command(
    left_out: Collection[str],
    from_environment: Mapping[str, str],
    commands: Collection[str] = (),
    secrets: Collection[str] = (),
) -> str:
    """Return the running command for a shell, with the options that were given, except for the ones `left_out`.

    `from_environment` names a variable for each option whose value may contain a secret. Of these options, the values
    of `commands` are shown unless they seem to contain one, or contain one of the known `secrets`.
    """
    context = click.get_current_context()
    words = ["mockcampaign", context.info_name or ""]
    for parameter in context.command.params:
        name = parameter.name or ""
        if context.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE or name in left_out:
            continue
        option = [max(parameter.opts, key=len)] if isinstance(parameter, click.Option) else []
        is_multiple = isinstance(parameter, click.Option) and parameter.multiple
        for value in context.params[name] if is_multiple else (context.params[name],):
            words += option
            is_shown = name in commands and not may_contain_secret(value, secrets)
            if is_shown:
                words.append(shlex.quote(value))
            elif name in from_environment:
                words.append(f'"${from_environment[name]}"')
            elif not getattr(parameter, "is_flag", False):
                words.append(shlex.quote(shown_url(_written(parameter, value))))
    return " ".join(words)


def unset_variables(command: str) -> list[str]:
    """Return the variables that a command names and that are not set here, so that the user has to set them."""
    return [name for name in dict.fromkeys(_VARIABLE.findall(command)) if name not in os.environ]


def unset_in_scenarios(texts: Iterable[str]) -> list[str]:
    """Return the variables that scenarios read without a default, and that are not set here."""
    names = dict.fromkeys(name for text in texts for name in _IN_SCENARIO.findall(text))
    return [name for name in names if name not in os.environ]


_IN_SCENARIO = re.compile(r"\$\{([A-Z_]+)\}")
_VARIABLE = re.compile(r'"\$([A-Z_]+)"')


def _written(parameter: click.Parameter, value: Any) -> str:
    if isinstance(parameter.type, DurationType):
        return format_duration(value)
    return ",".join(value) if isinstance(value, tuple) else str(value)
