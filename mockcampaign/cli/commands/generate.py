"""`mockcampaign generate`: events, batches or a whole mailing as JSON or JSON Lines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from mockcampaign.cli.options import SEED
from mockcampaign.cli.parameters import EXISTING_FILE, NEW_FILE, Command, DurationType, WholeNumber, WordType
from mockcampaign.cli.progress import Counting
from mockcampaign.cli.terminal import say, standard_output
from mockcampaign.durations import format_moment, parse_moment
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_CLIENT_ID, HOUR, INT64_MAX
from mockcampaign.shape.shape import LIST, Body
from mockcampaign.text import counted

if TYPE_CHECKING:
    from mockcampaign.events import Generator, Mailing, Rates, Sample
    from mockcampaign.events.description import Engagement, Row

COUNT_MAX = 1_000_000_000
COUNT_DEFAULT, OVER_DEFAULT = 10, HOUR
CHUNK = 1_000
"""Number of events or batches that are written at a time."""

RECIPIENTS_SOON_PLANNED = 200_000
"""Number of recipients up to which a mailing is planned in about a second."""

Typed = tuple[str, bytes]
"""The type of an event, and the event as JSON."""


class MomentType(click.ParamType[int]):
    """A time such as `2025-01-01T09:00:00Z`, in milliseconds since 1970."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_moment(value)
        except InvalidInputError as error:
            self.fail(str(error), param, ctx)


@click.command(cls=Command)
@click.option("--count", type=WholeNumber(1, COUNT_MAX), help="Write this many events.  [default: 10]")
@click.option("--over", type=DurationType(), help="Spread the events over this time.  [default: 1h]")
@click.option("--like", type=EXISTING_FILE, help="Generate events like the captured ones in this file.")
@click.option(
    "--shape", type=EXISTING_FILE, help="Generate events of the shape that `mockcampaign shape` printed here."
)
@click.option(
    "--keep",
    multiple=True,
    metavar="FIELD",
    help="Copy this captured field without pseudonyms, with --like. Repeat it for several.",
)
@click.option("--recipients", type=WholeNumber(1), help="Write all events of a mailing to this many recipients.")
@click.option(
    "--rate", "rates", multiple=True, metavar="NAME=SHARE", help="Set how recipients behave, such as opening=0.3."
)
@click.option(
    "--type",
    "types",
    multiple=True,
    type=WordType([kind.value for kind in EventType]),
    metavar="TYPE",
    help="Write only events of this type, such as click or bounce. With --recipients, repeat it for several.",
)
@click.option("--batches", is_flag=True, help="Write batches of at most 100 events of one type.")
@click.option(
    "--format",
    "as_format",
    type=WordType(["json", "jsonl"]),
    default="json",
    show_default=True,
    help="Write one JSON array, or JSON Lines.",
)
@click.option(
    "--start", type=MomentType(), default="2025-01-01T00:00:00Z", show_default=True, help="Time of the first event."
)
@click.option(
    "--recipient-ids",
    type=WordType(["digits", "email", "customer-number"]),
    default="digits",
    show_default=True,
    help="Form of the recipient ids.",
)
@click.option(
    "--client",
    type=WholeNumber(1, INT64_MAX),
    default=DEFAULT_CLIENT_ID,
    show_default=True,
    help="The clientId of the events.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Generate other events with another seed.")
@click.option("--output", "-o", type=NEW_FILE, help="Write the events to this file.  [default: standard output]")
@click.option(
    "--describe", type=NEW_FILE, metavar="SVG", help="Print a summary, and draw opens and clicks into this file."
)
@click.pass_context
def generate(
    ctx: click.Context,
    /,
    recipients: int | None,
    rates: tuple[str, ...],
    types: tuple[str, ...],
    batches: bool,
    as_format: str,
    start: int,
    recipient_ids: str,
    client: int,
    seed: int,
    output: Path | None,
    describe: Path | None,
    **by_number: Any,
) -> int:
    """Write realistic events, by default ten opens. The same options give the same events.

    \b
    mockcampaign generate --count 250 --type click --batches
    mockcampaign generate --like captured.json --count 1000 --format jsonl
    mockcampaign generate --recipients 50000 --describe mailing.svg
    """
    from mockcampaign.events import Generator, RecipientIds
    from mockcampaign.events.description import Description, Engagement

    _check_options(ctx, recipients is not None)
    generator = Generator(f"generate:{seed}", client, RecipientIds(recipient_ids))
    with ExitStack() as stack:
        to_terminal = output is None and describe is None and sys.stdout.isatty()
        progress = Counting("events", stack) if sys.stderr.isatty() and not to_terminal else None
        engagement, description, body = None, Description(start), LIST
        if recipients is None:
            events, total, body = _by_number(generator, start, types, **by_number)
        else:
            if progress is not None and recipients >= RECIPIENTS_SOON_PLANNED:
                progress.show(f"planning events of {recipients:,} recipients")
            chosen = [EventType(name) for name in types] or list(EventType)
            mailing = generator.mailing(recipients, start, rates=_rates(rates), types=chosen)
            engagement, total = Engagement(mailing), mailing.events
            events = _of_mailing(mailing, engagement)
        if describe is not None:
            events = _each(events, lambda typed: description.add(typed[1]))
        if progress is not None:
            events = progress.counted(events, total)
        if output is not None:
            _write(events, stack.enter_context(output.open("wb")), body if batches else None, as_format)
        elif describe is None:
            _write(events, stack.enter_context(standard_output()), body if batches else None, as_format)
        else:
            for _ in events:
                pass
    if describe is not None:
        from mockcampaign.events.plot import plot

        describe.write_text(
            plot(description.timeline, f"{counted(total, 'event')} from {format_moment(start)}"), "utf-8"
        )
        _print_table([*(engagement.rows() if engagement is not None and not types else ()), *description.rows()])
    return 0


_OF_MAILINGS, _BY_NUMBER = ("rates",), ("count", "over", "like", "shape", "keep")


def _check_options(ctx: click.Context, mailing: bool) -> None:
    """Raise `InvalidInputError` for options that exclude each other, and for files that cannot be written."""
    named = {name for name in ctx.params if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE}
    options = {parameter.name: parameter.opts[0] for parameter in ctx.command.params}
    for name in _BY_NUMBER if mailing else _OF_MAILINGS:
        if name in named:
            with_or_without = "without" if mailing else "with"
            raise InvalidInputError(f"{options[name]}: allowed only {with_or_without} --recipients")
    for captured in ("like", "shape"):
        for name in ("recipient_ids", "client"):
            if {captured, name} <= named:
                message = f"allowed only without {options[captured]}, whose events have one already"
                raise InvalidInputError(f"{options[name]}: {message}")
    if "keep" in named and ctx.params["like"] is None:
        raise InvalidInputError("--keep: allowed only with --like, whose values pseudonyms replace")
    if len(ctx.params["types"]) > 1 and not mailing:
        raise InvalidInputError("--type: given more than once, allowed: once, or with --recipients")
    picture = ctx.params["describe"]
    if picture is not None and picture.suffix.lower() != ".svg":
        raise InvalidInputError(f"--describe {picture}: a picture is drawn as SVG, allowed: a name that ends in .svg")


def _by_number(
    generator: Generator,
    start: int,
    types: tuple[str, ...],
    count: int | None,
    over: int | None,
    like: Path | None,
    shape: Path | None,
    keep: tuple[str, ...],
) -> tuple[Iterator[Typed], int, Body]:
    total = COUNT_DEFAULT if count is None else count
    moments = generator.moments(total, start, OVER_DEFAULT if over is None else over)
    name = types[0] if types else None
    sample = _sample(like, shape, None if name is None else EventType(name), keep)
    if sample is None:
        payloads = generator.payloads(EventType(name or EventType.OPEN), total, moments)
    else:
        if name is not None and sample.event_type not in (name, None):
            raise InvalidInputError(
                f"--type {name}: {shape or like} holds {sample.event_type} events, allowed: that type"
            )
        payloads = generator.payloads_like(sample, moments)
    body = LIST if sample is None else sample.shape.body
    return ((name or "", payload) for payload in payloads), total, body


def _sample(
    like: Path | None, shape: Path | None, event_type: EventType | None, keep: tuple[str, ...]
) -> Sample | None:
    from mockcampaign.events import Sample, load_sample

    if shape is not None:
        from mockcampaign.scenario.shape_file import read_shape

        return Sample.of(read_shape(shape, like, keep=keep))
    return None if like is None else load_sample(like, event_type, keep=keep)


def _of_mailing(mailing: Mailing, engagement: Engagement) -> Iterator[Typed]:
    for event in mailing:
        engagement.add(event)
        yield event.type, event.payload()


def _rates(texts: tuple[str, ...]) -> Rates:
    from msgspec.structs import fields

    from mockcampaign.events import Rates

    allowed = [field.name for field in fields(Rates)]
    given = {}
    for text in texts:
        name, _, share = text.partition("=")
        if name not in allowed:
            raise InvalidInputError(f"--rate {text}: {name!r} is not a rate, allowed: {', '.join(allowed)}")
        try:
            given[name] = float(share)
        except ValueError:
            raise InvalidInputError(f"--rate {text}: {share!r} is not a number, allowed: 0 to 1") from None
    return Rates(**given)


def _each(events: Iterable[Typed], look: Callable[[Typed], None]) -> Iterator[Typed]:
    for typed in events:
        look(typed)
        yield typed


def _write(events: Iterator[Typed], out: BinaryIO, body: Body | None, as_format: str) -> None:
    """Write one JSON document, or a line of JSON for each event or, with the body of requests, for each batch."""
    items = (payload for _, payload in events) if body is None else _in_batches(events, body)
    before, between, after = (b"[", b",\n", b"]\n") if as_format == "json" else (b"", b"\n", b"\n")
    out.write(before)
    chunk = list(islice(items, CHUNK))
    while chunk:
        out.write(between.join(chunk))
        chunk = list(islice(items, CHUNK))
        if chunk:
            out.write(between)
    out.write(after)
    out.flush()


def _in_batches(events: Iterator[Typed], body: Body) -> Iterator[bytes]:
    """Yield the batches the sender would make if all events were pending: all full, except the last of each type."""
    pending: dict[str, list[bytes]] = {}
    for kind, payload in events:
        batch = pending.setdefault(kind, [])
        batch.append(payload)
        if len(batch) == body.events_max:
            yield body.join(batch)
            batch.clear()
    yield from (body.join(batch) for batch in pending.values() if batch)


def _print_table(rows: list[Row]) -> None:
    widths = [max(len(row[index]) for row in rows) for index in (0, 1)]
    for what, number, remark in rows:
        say(f"{what:<{widths[0]}}  {number:>{widths[1]}}  {remark}".rstrip())
