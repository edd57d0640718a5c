"""`mockcampaign drill deploy`: deploys the consumer while deliveries go on, and balances the events."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Required, TypedDict, Unpack

import click

from mockcampaign.cli import playing
from mockcampaign.cli.ci import shielded
from mockcampaign.cli.options import (
    Outputs,
    captured_shapes,
    check_effects,
    common_options,
    credential_options,
    journal_option,
    route_options,
    shared_options,
    wait_option,
)
from mockcampaign.cli.parameters import Command, DurationType, WholeNumber, WordType
from mockcampaign.cli.playing import print_scenario, reported, run_async, wire
from mockcampaign.cli.probe_options import check_probe, check_probed
from mockcampaign.cli.progress import Counting
from mockcampaign.cli.terminal import INTERRUPTED, interrupted, print_lines, say, use_color
from mockcampaign.errors import InvalidInputError
from mockcampaign.masking import shown_url
from mockcampaign.model import Authentication, NoAuthentication
from mockcampaign.transport.address import check_resolved, routes_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockcampaign.check.probes.store_probe import StoreProbe
    from mockcampaign.check.settings import Settings
    from mockcampaign.drill.deploy_plan import DeployPlan
    from mockcampaign.judging.verdict import RunResult
    from mockcampaign.transport import Transport
    from mockcampaign.transport.address import Routes

EVENTS_MAX = 10_000_000
"""More events than any drill makes: its time is bounded, not their number."""


class _DeployOptions(TypedDict):
    """The options of the command, as click hands them over."""

    at: tuple[int, ...]
    restart_command: str | None
    rotate_command: str | None
    rotate_order: str
    gap: int
    duration: int | None
    every: int
    batch: int
    pace: int
    patience: int
    event_type: str | None
    like: tuple[Path, ...]
    shape_file: Path | None
    keep: tuple[str, ...]
    authentication: Required[Authentication]
    new_authentication: Required[Authentication]
    probe_url: str | None
    probe_command: str | None
    probe_events: str | None
    probe_count: str | None
    probe_fields: tuple[str, ...] | None
    settle: int
    timeout: int
    wait_for_consumer: int
    strict: bool
    journal: Path | None
    ca_file: Path | None
    insecure: bool
    host_header: str | None
    resolve: tuple[str, ...]
    seed: int | None
    outputs: Outputs
    verbose: bool
    quiet: bool
    no_color: bool


@click.command(cls=Command, short_help="Deploy the consumer while deliveries go on.")
@click.argument("url")
@click.option(
    "--at",
    type=DurationType(),
    multiple=True,
    default=("5m",),
    help="Deploy at this virtual time from the beginning (repeatable).  [default: 5m]",
)
@click.option(
    "--restart-cmd", "restart_command", metavar="COMMAND", help="Command that restarts the consumer (no shell)."
)
@click.option(
    "--rotate-cmd",
    "rotate_command",
    metavar="COMMAND",
    help="Command that changes the credentials at the consumer, to those in MOCKCAMPAIGN_CREDENTIALS "
    "(MOCKCAMPAIGN_ROTATE_TO says `new` or `old`).",
)
@click.option(
    "--rotate-order",
    type=WordType(["both", "consumer-first", "campaign-first"]),
    default="both",
    show_default=True,
    help="Which side changes first; `both` rotates once in each order, there and back.",
)
@click.option(
    "--gap", type=DurationType(), default="2m", show_default=True, help="Virtual time between both sides' changes."
)
@click.option(
    "--for", "duration", type=DurationType(), help="Virtual time of the traffic.  [default: 5m after the last --at]"
)
@click.option("--every", type=DurationType(), default="10s", show_default=True, help="Virtual time between batches.")
@click.option("--batch", type=WholeNumber(1, 100), default=5, show_default=True, help="Number of events of a batch.")
@click.option(
    "--pace",
    type=WholeNumber(1, 600),
    default=60,
    show_default=True,
    help="Virtual seconds for each second of wall time while something is deployed.",
)
@click.option(
    "--patience",
    type=DurationType(),
    default="1m",
    show_default=True,
    help="Wall time that a command may take, and the consumer after it until it accepts everything.",
)
@shared_options("--type", "--like", "--shape", "--keep")
@credential_options("DRILL")
@credential_options("DRILL_NEW", prefix="new-", parameter="new_authentication", then=" after a rotation")
@shared_options("--probe", "--probe-command", "--probe-events", "--probe-count", "--probe-fields")
@shared_options("--settle", "--timeout")
@wait_option
@click.option("--strict", is_flag=True, help="Fail on hazards too.")
@journal_option
@shared_options("--ca", "--insecure")
@route_options
@common_options
def deploy(url: str, **options: Unpack[_DeployOptions]) -> int:
    """Restart the consumer at URL, or rotate its credentials, while deliveries go on.

    At the end, each event is accounted for: accepted, discarded after three days or still pending, and with a probe
    also stored, missing, altered or duplicate. The restart itself is no violation: what it rejects is retried.
    """
    from mockcampaign.check.bench.context import check_context
    from mockcampaign.drill.deploy import NAME, DeployDrill
    from mockcampaign.engine.journal_file import Heading
    from mockcampaign.judging.verdict import exit_status
    from mockcampaign.report.scenario_text import drill_lines

    plan = _plan(options)
    check_probe(**_probe_options(options))
    probe = {"--probe": options["probe_url"], "--probe-command": options["probe_command"]}
    check_effects(
        (
            ("--probe-fields", options["probe_fields"], probe),
            ("--keep", options["keep"], {"--like": options["like"]}),
        )
    )
    routes = routes_to([url], options["host_header"], options["resolve"])
    check_resolved(routes, [url, *([] if options["probe_url"] is None else [options["probe_url"]])])
    settings = _settings(options, routes)
    color = use_color(options["no_color"])
    drill: DeployDrill | None = None
    result: RunResult | None = None
    status: int | None = None

    async def carry_out(show: Callable[[int, int], object]) -> RunResult:
        nonlocal drill
        await playing.wait_for_consumer(url, options["wait_for_consumer"], routes)
        async with wire(options["ca_file"], not options["insecure"], routes) as transport:
            context = check_context(url, transport=transport, settings=settings, probe=_probe(options, transport))
            drill = DeployDrill(context, plan, on_deployment=show)
            return await drill.result()

    with contextlib.ExitStack() as stack:
        counting = Counting("deployments", stack) if sys.stderr.isatty() else None
        writer = stack.enter_context(playing.journal_file(options["journal"]))

        def show(number: int, of: int) -> None:
            if counting is not None:
                counting.show_later(f"deployment {number} of {of}")

        try:
            result = run_async(lambda: carry_out(show))
        except (KeyboardInterrupt, asyncio.CancelledError):
            status = interrupted()
            result = None if drill is None else drill.so_far()
        if writer is not None and result is not None:
            heading = Heading(name=NAME, target=shown_url(url), strict=settings.strict)
            writer.write(result.scenarios[0].journal, heading)
    if result is None:
        return INTERRUPTED
    verbosity = options["verbose"] - options["quiet"]
    with shielded():
        if options["verbose"] or not result.compliant:
            print_scenario(result.scenarios[0], options["verbose"], options["quiet"], color)
            say()
        print_lines(drill_lines(result, "deploy drill", verbosity=verbosity), color)
    reported(result, options["outputs"])
    return exit_status(result) if status is None else status


def _plan(options: _DeployOptions) -> DeployPlan:
    """Return the plan. Raise `InvalidInputError` where the options make none."""
    from mockcampaign.check.probes.run_command import runnable
    from mockcampaign.drill.deploy_plan import ORDERS, DeployPlan, restarts, rotations

    restart, rotate = options["restart_command"], options["rotate_command"]
    old, new = options["authentication"], options["new_authentication"]
    if restart is not None and rotate is not None:
        raise InvalidInputError("allowed: one of --restart-cmd and --rotate-cmd, found both")
    if (rotate is None) != isinstance(new, NoAuthentication):
        raise InvalidInputError(
            "allowed: --rotate-cmd with new credentials (--new-basic-auth-file or --new-key-auth-file), found one of "
            "the two"
        )
    if rotate is not None and isinstance(old, NoAuthentication):
        raise InvalidInputError("--rotate-cmd: no credentials to change, allowed: with --basic-auth-file or the like")
    for option, command in (("--restart-cmd", restart), ("--rotate-cmd", rotate)):
        if command is not None:
            runnable(command, option)
    orders = [one for one in ORDERS if options["rotate_order"] in ("both", one)]
    deployments = () if restart is None else restarts(restart, options["at"])
    return DeployPlan(
        deployments=deployments if rotate is None else rotations(rotate, options["at"], orders, old, new),
        duration=options["duration"],
        every=options["every"],
        batch=options["batch"],
        gap=options["gap"],
        pace=options["pace"],
        patience=options["patience"],
    )


def _settings(options: _DeployOptions, routes: Routes) -> Settings:
    from mockcampaign import wallclock
    from mockcampaign.check.settings import Settings

    seed = options["seed"]
    shape, *others = captured_shapes(options["like"], options["shape_file"], options["event_type"], options["keep"])
    if others:
        raise InvalidInputError("--like: events of several types, allowed: one, as the drill's webhooks carry one type")
    settings = Settings(
        seed=secrets.randbits(31) if seed is None else seed,
        now=wallclock.now() // 1_000 * 1_000,
        shape=shape,
        probe_fields=options["probe_fields"] or (),
        authentication=options["authentication"],
        events=EVENTS_MAX,
        timeout=options["timeout"],
        settle=options["settle"],
        strict=options["strict"],
        routes=routes,
        ca_file=options["ca_file"],
    )
    check_probed(settings, url=options["probe_url"], command=options["probe_command"])
    return settings


def _probe(options: _DeployOptions, transport: Transport) -> StoreProbe | None:
    from mockcampaign.check.probes.probe_making import make_probe

    return make_probe(transport, timeout=options["timeout"], **_probe_options(options))


class _ProbeOptions(TypedDict):
    url: str | None
    command: str | None
    events: str | None
    count: str | None


def _probe_options(options: _DeployOptions) -> _ProbeOptions:
    return {
        "url": options["probe_url"],
        "command": options["probe_command"],
        "events": options["probe_events"],
        "count": options["probe_count"],
    }
