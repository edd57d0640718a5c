"""`mockcampaign drill provisioning`: runs the team's own set-up against a REST API whose calls fail, one by one."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockcampaign.cli.ci import shielded
from mockcampaign.cli.options import Outputs, output_options
from mockcampaign.cli.parameters import EXISTING_FILE, FOLDER, Command, DurationType, WholeNumber
from mockcampaign.cli.playing import make_folder, print_scenario, reported, write_scenarios
from mockcampaign.cli.progress import Counting
from mockcampaign.cli.terminal import print_lines, use_color
from mockcampaign.errors import InvalidInputError
from mockcampaign.policy import MINUTE

if TYPE_CHECKING:
    from mockcampaign.drill.provisioning import OnCase


@click.command(cls=Command, short_help="Run your set-up while each of its calls fails.")
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND…")
@click.option(
    "--env",
    "variables",
    multiple=True,
    metavar="NAME=TEXT",
    help="Set this environment variable for the command; {url}, {rest_url}, {client_id}, {user} and {password} stand "
    "for values of the server. Repeat it for several.",
)
@click.option("--clean", metavar="COMMAND", help="Run this before each case, to remove what the set-up keeps.")
@click.option("--timeout", type=DurationType(), default=MINUTE, help="Stop a run after this wall time.  [default: 1m]")
@click.option("--port", default=0, show_default=True, type=WholeNumber(0, 65535), help="Serve on this port.")
@click.option(
    "--scenario", "scenario_file", type=EXISTING_FILE, help="Play this scenario instead, which a violation showed."
)
@click.option("--scenarios", type=FOLDER, help="Write a scenario for each violation into this folder.")
@output_options
def provisioning(
    command: tuple[str, ...],
    variables: tuple[str, ...],
    clean: str | None,
    timeout: int,
    port: int,
    scenario_file: Path | None,
    scenarios: Path | None,
    outputs: Outputs,
    verbose: bool,
    quiet: bool,
    no_color: bool,
) -> int:
    """Run your set-up, which registers webhooks, while each of its calls fails in turn.

    The command learns the server from MOCKCAMPAIGN_URL, MOCKCAMPAIGN_REST_URL, MOCKCAMPAIGN_CLIENT_ID,
    MOCKCAMPAIGN_USER and MOCKCAMPAIGN_PASSWORD. It runs three times in each case: with a call that fails, and twice
    without.
    """
    from mockcampaign.drill.command import SetUpCommand
    from mockcampaign.drill.provisioning import Drill, drill_plan, drilled_scenario, settings_of
    from mockcampaign.drill.server import DrillServer
    from mockcampaign.judging.verdict import exit_status
    from mockcampaign.report.scenario_text import drill_lines

    if scenarios is not None:
        make_folder(scenarios)
    own = dict(_variable(text) for text in variables)
    set_up = SetUpCommand(command, own, seconds_max=timeout / 1_000)
    cleaning = None if clean is None else SetUpCommand(_words(clean), own, seconds_max=timeout / 1_000)
    plan = None if scenario_file is None else drill_plan(scenario_file)
    color = use_color(no_color)
    server = DrillServer(settings=None if plan is None else settings_of(plan))
    with contextlib.ExitStack() as stack:
        on_case = _progress(stack)
        stack.enter_context(server.running(port))
        set_up.check(server.values())
        if plan is None:
            result = Drill(server, set_up, cleaning, on_case=on_case).result()
        else:
            result = drilled_scenario(server, plan, set_up, cleaning)
    with shielded():
        for one in result.scenarios:
            if verbose or not one.compliant:
                print_scenario(one, verbose, quiet, color)
        if plan is None:
            print_lines(drill_lines(result, "provisioning drill", verbosity=verbose - quiet), color)
        if scenarios is not None:
            write_scenarios(result, scenarios)
    reported(result, outputs)
    return exit_status(result)


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InvalidInputError(f"--env {text!r}: not a variable, allowed: NAME=TEXT")
    return name, value


def _words(command: str) -> list[str]:
    from mockcampaign.check.probes.run_command import parsed

    return parsed(command)


def _progress(stack: contextlib.ExitStack) -> OnCase:
    counting = Counting("cases", stack) if sys.stderr.isatty() else None

    def show(number: int, cases: int) -> None:
        if counting is not None:
            counting.show_later(f"case {number:,}" + (f" of {cases:,}" if cases else ""))

    return show
