"""`mockcampaign record`: a proxy in front of a real consumer that records all requests."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockcampaign.cli.options import tls_options
from mockcampaign.cli.parameters import EXISTING_FILE, NEW_FILE, Command, DurationType, WholeNumber
from mockcampaign.cli.playing import journal_file, run_async, wire
from mockcampaign.cli.terminal import COULD_NOT_TELL, say, warn
from mockcampaign.errors import InvalidInputError
from mockcampaign.text import counted

if TYPE_CHECKING:
    from mockcampaign.recording.recorder import Recorder
    from mockcampaign.recording.sideline import Sideline
    from mockcampaign.serving.tls import TlsOptions


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
@click.option(
    "--keep",
    is_flag=False,
    flag_value="*",
    multiple=True,
    metavar="[FIELD]",
    help="Record this field as it is, without pseudonyms: a name or a dotted path, or `path` for the path of the URL. "
    "Without FIELD, record everything as it is. Can be repeated.",
)
@click.option(
    "--timeout",
    type=DurationType(),
    default=30_000,
    help="Wait this long for a response of the consumer.  [default: 30s]",
)
@click.option("--ca", "ca_file", type=EXISTING_FILE, help="Trust the certificates of this CA file as well.")
@click.option("--insecure", is_flag=True, help="Accept any certificate of the consumer.")
@click.option("--tls-name", multiple=True, metavar="NAME", help="Make the certificate for this host name too.")
@tls_options
def record(
    forward: str,
    journal: Path,
    host: str,
    port: int,
    keep: tuple[str, ...],
    timeout: int,
    ca_file: Path | None,
    insecure: bool,
    tls_name: tuple[str, ...],
    tls: TlsOptions,
) -> int:
    """Record the requests Campaign sends to a real consumer, and pass them on, until Ctrl-C.

    Pseudonyms replace everything that may name a person. Credentials are passed on, but never recorded.
    """
    from mockcampaign.recording.proxy import proxy_app
    from mockcampaign.recording.recorder import Recorder
    from mockcampaign.recording.sideline import Sideline
    from mockcampaign.serving import base_url, listen, serve_until_signalled
    from mockcampaign.serving.tls import tls_files
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
    sideline = Sideline(recorder, warn)
    with contextlib.ExitStack() as stack:
        keys = stack.enter_context(contextlib.ExitStack())
        files, trust = tls_files(tls, (host, *tls_name), "--tls-name", stack, keys)
        listening = stack.enter_context(listen(host, port))
        url = base_url("https" if files else "http", host, listening)

        def ready() -> None:
            keys.close()  # they are loaded
            say(f"recording {url} -> {forward} in {journal}; Ctrl-C stops it")
            if trust is not None:
                say(f"CA file {trust}")
            if keep:
                warn(f"{_readable(keep)} stays readable in {journal}")

        async def serve() -> None:
            async with wire(ca_file, not insecure) as transport:
                app = proxy_app(forward, transport=transport, sideline=sideline, now=now, timeout=timeout)
                await serve_until_signalled(app, listening, tls_files=files, ready=ready)

        with _recorded(recorder, sideline, journal, _name(forward, keep), forward):
            run_async(serve)
    say(f"recorded {counted(recorder.events, 'event')} in {counted(recorder.attempts, 'attempt')}")
    return COULD_NOT_TELL if sideline.stopped else 0


@contextlib.contextmanager
def _recorded(recorder: Recorder, sideline: Sideline, path: Path, name: str, forward: str) -> Iterator[None]:
    """Write the journal while the context is open, and all that is still to be recorded when it closes."""
    from mockcampaign.engine.journal_file import Heading

    closing = False
    try:
        with journal_file(path) as writer:
            assert writer is not None
            follower = writer.follow(recorder.journal, Heading(name=name, target=forward))
            try:
                yield
            finally:
                closing = True
                sideline.close()
                follower.close()
    except OSError as error:
        if not closing:
            raise InvalidInputError(f"--journal {path}: cannot be written: {error.strerror}") from None
        if not sideline.stopped:
            warn(f"the end of the journal cannot be written: {error.strerror}")
        sideline.stopped = True
    finally:
        sideline.close()


def _name(forward: str, keep: tuple[str, ...]) -> str:
    name = f"recorded in front of {forward}"
    return f"{name}, with {_readable(keep)} as it is" if keep else name


def _readable(keep: tuple[str, ...]) -> str:
    """Return the fields that stay as they are, as a sentence begins with them."""
    return "everything, persons included," if "*" in keep else ", ".join(dict.fromkeys(keep))
