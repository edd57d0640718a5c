"""`mockcampaign soak`: random histories against a consumer behind a URL, for hours, until the first that fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import click

from mockcampaign.cli.commands.check import CheckArguments, checked
from mockcampaign.cli.options import (
    clock_option,
    common_options,
    credential_options,
    journal_option,
    route_options,
    shared_options,
    wait_option,
)
from mockcampaign.cli.parameters import FOLDER, Command, DurationType
from mockcampaign.cli.terminal import print_lines, use_color
from mockcampaign.policy import SECOND

if TYPE_CHECKING:
    from mockcampaign.check.check import CheckRun

_FIXED: dict[str, Any] = {
    "rules": ("survives-random-histories",),
    "skip": (),
    "examples": 20,
    "histories": 10**9,
    "history": None,
    "events": 10**12,
    "probe_count": None,
    "probe_counters": (),
    "probe_sql": None,
    "probe_query": None,
    "state_url": None,
    "states": None,
    "memory": 0,
    "rate": 10,
    "strict": False,
    "baseline": None,
    "full_fidelity": False,
    "sweep": False,
    "restart_command": None,
    "break_command": None,
    "restore_command": None,
}
"""Options of `check` that have one value here."""


@click.command(cls=Command)
@click.argument("url")
@click.option(
    "--for", "budget", type=DurationType(least=1), default="1h", show_default=True, help="Wall time of the search."
)
@click.option(
    "--every", type=DurationType(least=SECOND), default="1m", show_default=True, help="Wall time between two tables."
)
@shared_options("--probe", "--probe-command", "--probe-events", "--probe-fields")
@shared_options("--type", "--like", "--shape", "--keep")
@credential_options("CHECK")
@shared_options("--timeout", "--settle", "--client-id")
@wait_option
@click.option("--explain", is_flag=True, help="Show the whole timeline and how to reproduce the violation.")
@click.option("--scenarios", type=FOLDER, help="Write the shortest failing history as a scenario to this folder.")
@clock_option
@journal_option
@shared_options("--ca", "--insecure")
@route_options
@common_options
def soak(url: str, every: int, **options: Any) -> int:
    """Play random histories against the consumer at URL until one fails or the time is up."""
    color = use_color(options["no_color"])

    async def show(run: CheckRun) -> None:
        from mockcampaign.cli.coverage_table import coverage_lines

        while not options["quiet"]:
            await asyncio.sleep(every / 1_000)
            print_lines(coverage_lines(run.coverage), color)

    return checked(url, cast("CheckArguments", {**options, **_FIXED}), meanwhile=show)
