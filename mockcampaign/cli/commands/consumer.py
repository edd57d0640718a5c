"""`mockcampaign consumer`: a sample consumer that runs until Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockcampaign.cli.parameters import EXISTING_FILE, NEW_FILE, Command, WholeNumber
from mockcampaign.cli.terminal import say
from mockcampaign.errors import InvalidInputError

if TYPE_CHECKING:
    from mockcampaign.shape.shape import Shape


@click.command(cls=Command)
@click.option("--bug", metavar="NAME", help="Run the consumer with this bug; --list shows all.")
@click.option("--list", "list_bugs", is_flag=True, help="List all bugs, and exit.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen on this host.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=WholeNumber(0, 65535),
    help="Listen on this port; 0 picks a free one.",
)
@click.option(
    "--store",
    type=NEW_FILE,
    help="Store events in this file, so that they survive restarts.  [default: in memory]",
)
@click.option(
    "--shape",
    "shape_file",
    type=EXISTING_FILE,
    help="Accept only events of this shape: captured events, or a file that `mockcampaign shape` printed.",
)
@click.option("--basic-auth", metavar="USER:PASSWORD", help="Require these credentials.", envvar="CONSUMER_BASIC_AUTH")
def consumer(
    bug: str | None,
    list_bugs: bool,
    host: str,
    port: int,
    store: Path | None,
    shape_file: Path | None,
    basic_auth: str | None,
) -> int:
    """Run a sample consumer, correct or with one bug, until Ctrl-C."""
    import signal
    import threading

    from mockcampaign.model import BasicAuthentication
    from mockcampaign.samples.consumer import BUGS, serve_consumer

    if list_bugs:
        width = max(map(len, BUGS))
        for name, known in BUGS.items():
            say(f"{name:<{width}}  {known.description}")
        return 0

    credentials = None
    if basic_auth is not None:
        user_name, colon, password = basic_auth.partition(":")
        if not colon:
            raise InvalidInputError("--basic-auth: no colon in it, allowed: USER:PASSWORD")
        credentials = BasicAuthentication(user_name, password)
    shape = None if shape_file is None else _shape(shape_file)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with serve_consumer(bug, basic_authentication=credentials, store=store, shape=shape, host=host, port=port) as url:
        say(f"webhook target {url}/hook")
        say(f"probe          {url}/processed")
        say(f"end state      {url}/state")
        say("Press Ctrl-C to stop")
        while not stop.wait(1):
            pass
    return 0


def _shape(path: Path) -> Shape:
    from mockcampaign.scenario.shape_file import read_shapes

    shapes = read_shapes(path)
    if len(shapes) > 1:
        types = ", ".join(shape.event_type for shape in shapes)
        raise InvalidInputError(f"--shape {path}: contains events of types {types}, allowed: one type")
    return shapes[0]
