"""`mockcampaign record`: a proxy in front of a real consumer that records all requests."""

from __future__ import annotations

import time
from pathlib import Path

import click

from mockcampaign.cli.parameters import EXISTING_FILE, NEW_FILE, Command, DurationType, WholeNumber
from mockcampaign.cli.playing import journal_file, run_async, wire
from mockcampaign.cli.terminal import say, warn
from mockcampaign.errors import InvalidInputError
from mockcampaign.text import counted


@click.command(cls=Command)
@click.option(
    "--forward", required=True, metavar="URL", help="URL of the consumer; the path of each request is appended."
)
@click.option("--journal", required=True, type=NEW_FILE, help="Write the journal to this new file.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen on this host.")
@click.option(
    "--port",
    default=8001,
    show_default=True,
    type=WholeNumber(0, 65535),
    help="Listen on this port; 0 picks a free one.",
)
@click.option("--keep", is_flag=True, help="Record recipient ids and addresses as they are, without pseudonyms.")
@click.option(
    "--timeout",
    type=DurationType(),
    default=30_000,
    help="Wait this long for a response of the consumer.  [default: 30s]",
)
@click.option("--ca", "ca_file", type=EXISTING_FILE, help="Trust the certificates of this CA file as well.")
@click.option("--insecure", is_flag=True, help="Accept any certificate of the consumer.")
def record(
    forward: str,
    journal: Path,
    host: str,
    port: int,
    keep: bool,
    timeout: int,
    ca_file: Path | None,
    insecure: bool,
) -> int:
    """Record the requests Campaign sends to a real consumer, and pass them on, until Ctrl-C.

    Credentials are passed on, but never recorded.
    """
    from mockcampaign.engine.journal_file import Heading
    from mockcampaign.recording.proxy import proxy_app
    from mockcampaign.recording.recorder import Recorder
    from mockcampaign.serving import base_url, listen, serve_until_signalled
    from mockcampaign.transport.address import parse_address

    parse_address(forward)
    if "?" in forward or "#" in forward:
        raise InvalidInputError(f"--forward: {forward!r} has a query or a fragment, allowed: a URL without")
    if journal.exists():
        # It may hold requests of the real Campaign, which nobody can make it send again.
        raise InvalidInputError(f"--journal {journal}: exists already, allowed: the name of a new file")

    def now() -> int:
        return time.time_ns() // 1_000_000

    recorder = Recorder(forward, now=now(), keep=keep)
    listening = listen(host, port)
    url = base_url("http", host, listening)

    def ready() -> None:
        say(f"recording {url} -> {forward} in {journal}; Ctrl-C stops it")

    async def serve() -> None:
        async with wire(ca_file, not insecure) as transport:
            app = proxy_app(forward, transport=transport, recorder=recorder, now=now, timeout=timeout, complain=warn)
            await serve_until_signalled(app, listening, tls_files=None, ready=ready)

    with listening, journal_file(journal) as writer:
        assert writer is not None
        follower = writer.follow(recorder.journal, Heading(name=f"recorded in front of {forward}", target=forward))
        try:
            run_async(serve)
        finally:
            follower.close()
    say(f"recorded {counted(recorder.events, 'event')} in {counted(recorder.attempts, 'attempt')}")
    return 0
