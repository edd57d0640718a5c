"""`mockcampaign serve`: run the fake server until a signal."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import click

from mockcampaign.cli.options import SEED, clock_option, journal_option, shared_options, tls_options
from mockcampaign.cli.parameters import EXISTING_FILE, Command, Number, TypedFile, WholeNumber
from mockcampaign.cli.playing import journal_file, run_async
from mockcampaign.cli.terminal import say, warn
from mockcampaign.policy import DEFAULT_CLIENT_ID, DEFAULT_PASSWORD, DEFAULT_USER, INT64_MAX


@click.command(cls=Command, context_settings={"auto_envvar_prefix": "MOCKCAMPAIGN_SERVE"})
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen on this host.")
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=WholeNumber(0, 65535),
    help="Listen on this port; 0 picks a free one.",
)
@click.option(
    "--client-id", default=DEFAULT_CLIENT_ID, show_default=True, type=WholeNumber(1, INT64_MAX), help="The client."
)
@click.option("--user", default=DEFAULT_USER, show_default=True, help="The client's user.")
@click.option("--password", default=DEFAULT_PASSWORD, show_default=True, help="The user's password.")
@click.option("--clients", "clients_file", type=EXISTING_FILE, help="More clients and their users, as YAML.")
@click.option(
    "--scenario", "scenario_file", type=EXISTING_FILE, help="Create its webhooks and play its steps at the start."
)
@click.option(
    "--like",
    multiple=True,
    type=TypedFile(),
    metavar="TYPE=FILE",
    help="Give events of this type the shape of captured ones, such as click=captured.json. Repeat it for several.",
)
@click.option(
    "--shape",
    "shape_files",
    multiple=True,
    type=EXISTING_FILE,
    help="Use the shape in this file, which `mockcampaign shape` printed. Repeat it for several.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keep all but the options in this file, and go on from it.  [default: in memory only]",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[,KEY=VALUE…]",
    help="Declare a fault at the start, such as api-error,operation=createWebhook,every=3. Repeat it for several.",
)
@click.option("--speed", default=1.0, show_default=True, type=Number(0.001, 1e6), help="Times wall time.")
@click.option("--virtual", is_flag=True, help="Time moves only through the control API.")
@click.option(
    "--seed",
    type=SEED,
    help="Makes the events repeatable.  [default: a new one at the start and at each reset; a state file keeps it]",
)
@click.option(
    "--webhooks-per-client-max",
    type=WholeNumber(1, 1_000_000),
    help="Maximum number of webhooks per client.  [default: 12]",
)
@click.option("--ca", "ca_file", type=EXISTING_FILE, help="Trust this CA too when delivering.")
@click.option("--insecure", is_flag=True, help="Accept any certificate when delivering.")
@click.option(
    "--allow-host", "host_names", multiple=True, metavar="NAME", help="Accept requests for this host name too."
)
@click.option(
    "--control-token",
    metavar="TOKEN",
    help="Live page and control API need this token. Without it, they need a random one unless --host is loopback.",
)
@click.option(
    "--allow-target",
    multiple=True,
    metavar="HOST|NETWORK",
    help="Deliver to this host or network too. Loopback and private addresses are allowed while --host is loopback.",
)
@shared_options("--probe", "--probe-command")
@click.option(
    "--probe-sql", metavar="URL", help="Database with the stored events, as SQLAlchemy's URL; no caller can name one."
)
@click.option(
    "--probe-query",
    metavar="SELECT",
    help="Reads the stored events with this query, which may have parameters such as :mailingId.",
)
@shared_options("--probe-events", "--probe-count", "--probe-fields")
@clock_option
@journal_option
@click.option("-q", "--quiet", is_flag=True, help="Do not print the calls of the REST API.")
@tls_options
def serve(virtual: bool, speed: float, journal: Path | None, **options: Any) -> int:
    """Serve a double of Campaign: REST API, Swagger UI, control API and a live page.

    Every option is also an environment variable, such as MOCKCAMPAIGN_SERVE_PORT.
    """
    given = click.get_current_context().get_parameter_source("speed")
    if virtual and given is not click.core.ParameterSource.DEFAULT:
        raise click.UsageError("--speed has no effect with --virtual, allowed: one of the two")
    # What is imported stays, so to search it for garbage again and again would be a tenth of the start.
    gc.disable()
    try:
        from mockcampaign.server.consumer_probe import ProbeOptions
        from mockcampaign.server.serve import ServeOptions
        from mockcampaign.server.serve import serve as serve_until_signal
    finally:
        gc.enable()

    def log(lines: str) -> None:
        say(lines, err=True)

    probe = ProbeOptions(
        url=options.pop("probe_url"),
        command=options.pop("probe_command"),
        sql=options.pop("probe_sql"),
        query=options.pop("probe_query"),
        events=options.pop("probe_events"),
        count=options.pop("probe_count"),
        fields=options.pop("probe_fields") or (),
    )
    with journal_file(journal) as writer:
        chosen = ServeOptions(speed=0 if virtual else speed, probe=probe, **options)
        run_async(lambda: serve_until_signal(chosen, say, warn, log, writer))
    return 0
