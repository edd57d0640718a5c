"""The command line. Only this package prints, reads arguments, and chooses the exit status.

Exit status: 0 compliant; 1 not compliant; 2 wrong usage or a broken scenario; 3 inconclusive; 130 interrupted.

Each command is a module, imported when it is called, so `--help` and usage errors appear at once.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, NoReturn

import click

from mockcampaign import __version__
from mockcampaign.cli.terminal import (
    COULD_NOT_TELL,
    USAGE_ERROR,
    complain,
    failed,
    interrupted,
    open_streams,
    say,
    silence,
)
from mockcampaign.cli.usage import unknown_command, usage_line
from mockcampaign.errors import CouldNotTellError, MockcampaignError
from mockcampaign.extras import naming_extras
from mockcampaign.text import printable

COMMANDS = {
    "demo": "Check a correct and a broken sample consumer, side by side.",
    "check": "Check a consumer, rule by rule.",
    "soak": "Play random histories for hours, until one fails.",
    "rules": "List the rules of `check`, or explain one.",
    "run": "Run scenario files, or every *.scenario.yaml in a folder.",
    "judge": "Judge recorded journals, without sending anything.",
    "compare": "Compare two JSON reports: what is fixed, regressed, still failing and new.",
    "baseline": "Write the violations of a JSON report as a baseline, which `--baseline` accepts.",
    "record": "Record the requests Campaign sends to a real consumer.",
    "replay": "Replay a recorded journal against a consumer.",
    "load": "Let events occur at a given rate in wall time, and say whether the consumer keeps up.",
    "serve": "Serve a fake Campaign: REST API, Swagger UI, control API and live page.",
    "drill": "Practise a set-up whose calls fail, and a deployment under traffic.",
    "clock": "Start a consumer whose clock follows virtual time, in any language.",
    "generate": "Write events, batches or a whole mailing as JSON or JSON Lines.",
    "shape": "Say which field of captured events plays which role.",
    "schema": "Print the JSON Schema of scenarios, reports or events, or the scenario reference.",
    "consumer": "Run a sample consumer, correct or with one bug.",
}
"""The line of each command in `--help`. A command is the function of that name in the module of that name."""

SHARED_MODULES = {
    "rules": "reference",
    "schema": "reference",
    "compare": "reports.report_commands",
    "baseline": "reports.report_commands",
    "clock": "clocks.clock_commands",
}
"""The modules of commands that share one, or that are in a folder."""


class _Commands(click.Group):
    """The group of all commands, each of which is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"mockcampaign.cli.commands.{SHARED_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            raise unknown_command(args[0], list(COMMANDS), ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            if error.ctx is None and command is not None:
                # Some errors of click's parser have no context.
                error.ctx = click.Context(command, parent=ctx, info_name=ctx.invoked_subcommand)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mockcampaign")
def cli() -> None:
    """A scriptable test double of the webhook exporter of Optimizely (Episerver) Campaign.

    It sends your webhook consumer what the real Campaign would send, injects faults, and gives a verdict on the
    consumer. Start with: mockcampaign demo
    """


def main() -> NoReturn:
    """Run the command line, and exit with its status."""
    open_streams()
    try:
        with naming_extras():
            status = cli.main(prog_name="mockcampaign", standalone_mode=False)
    except click.exceptions.Abort:
        status = interrupted()
    except getattr(click.exceptions, "NoArgsIsHelpError", ()) as error:
        error.show()
        status = USAGE_ERROR
    except click.ClickException as error:
        say(printable(usage_line(error)), err=True)
        status = USAGE_ERROR
    except KeyboardInterrupt:
        status = interrupted()
    except CouldNotTellError as error:
        status = complain(error, COULD_NOT_TELL)
    except MockcampaignError as error:
        status = complain(error, USAGE_ERROR)
    except BrokenPipeError:
        # The reader has closed the pipe (`| head`). Python must not report that again when it flushes at exit.
        silence(sys.stdout)
        status = COULD_NOT_TELL
    except Exception:
        status = failed()
    sys.exit(status)
