"""The optional arguments of `campaign_check`, and the settings of the check that follow from them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import msgspec

from mockcampaign.check.probes.run_command import runnable
from mockcampaign.check.settings import Settings
from mockcampaign.double.arguments import check_names, check_values
from mockcampaign.double.control.home import CampaignSettings
from mockcampaign.double.control.violations import NOTHING_DELIVERED
from mockcampaign.double.inputs import Credentials, Duration, authentication_of, duration_of, event_type_of
from mockcampaign.errors import MisuseError
from mockcampaign.judging.earlier.baseline import Known, of_check, read_baseline
from mockcampaign.model import EventType
from mockcampaign.policy import SECOND
from mockcampaign.pytest_plugin.campaign_settings import check_allowed
from mockcampaign.scenario.check_shapes import shape_of_events, shapes_of_files
from mockcampaign.shape.shape import Shape
from mockcampaign.text import unknown

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here

Found = Sequence[dict[str, Any]] | int
AskedFor = Callable[[], Found | Awaitable[Found]]


Doing = str | Callable[[], object]
"""A command, or a function, synchronous or asynchronous, that does the same."""


class CheckOptions(TypedDict, total=False):
    """Optional arguments of `campaign_check`.

    They are those of `mockcampaign check`. Reports and the journal are options of pytest (`--mockcampaign-html FILE`,
    `--mockcampaign-full-journal` and so on).
    """

    probe: AskedFor | str | None
    """The events that the consumer has stored: a function that returns them or their number, or a URL or path that
    does. Without it, the rules that need it are skipped."""
    probe_command: str
    """A command that prints the stored events as JSON, instead of `probe`."""
    probe_events: str
    """JMESPath of the list of events in the response of the probe (default: the whole response)."""
    probe_count: str
    """JMESPath of their number in it, instead of `probe_events`."""
    probe_sql: tuple[Any, str]
    """A synchronous engine of SQLAlchemy, or the URL of one, and the query that returns the stored events, such as
    `SELECT … WHERE mailing_id = :mailingId`, instead of `probe`."""
    probe_fields: Collection[str]
    """Outermost fields of an event that the probe reports; others are not compared (default: all)."""
    counters: Mapping[str, Callable[[], int | Awaitable[int]] | str]
    """Other numbers of events that the consumer reports, by name, such as a total on a dashboard: a function that
    returns the number, or a URL or path that does, with a JMESPath after `#` where needed. Each must agree as well."""
    state: Callable[[], Any] | str
    """The newest event of each mail or recipient, as the consumer has stored it: a function that returns a mapping from
    the id of a mail or recipient to the event or its time, or a list of rows with one of the ids, or a URL or path that
    does.
    Without it, the rule about the newest event is skipped."""
    states: str
    """JMESPath of the states in the response of the URL of `state` (default: the whole response)."""
    type: EventType | str
    """Type of the events (default: `open`, or that of `like`)."""
    like: Path | str | Mapping[str, Any] | Sequence[Mapping[str, Any]]
    """Captured events, or a file of them: the events of the check look like these."""
    keep: Collection[str]
    """Fields of the captured events that are sent and reported as they are, without pseudonyms."""
    shape: Path | str | Shape
    """A shape, or a file that `mockcampaign shape` has written. It corrects `like`, or stands for itself."""
    auth: Credentials
    """A pair of user name and password, both in one text with a colon between, or one of `model.Authentication`."""
    rules: Collection[str]
    """Ids of rules, or names of families, to check (default: all)."""
    skip: Collection[str]
    """Ids or families to skip."""
    allow: Collection[str]
    """Ids of rules that the consumer may violate, in addition to those that the test's marker allows."""
    baseline: Path | str
    """A file that `mockcampaign baseline write` wrote, whose violations are accepted."""
    strict: bool
    """Whether hazards fail the test too, and skipped "must" rules."""
    examples: int
    """Number of cases that a rule with generated cases tries (default: 20)."""
    histories: int
    """Number of random histories (default: 5 for each example)."""
    history: int
    """Number of the one random history to play, as a failure reports it."""
    events: int
    """Greatest number of events of the check."""
    rate: int
    """Events per second that Campaign sends on average, which the consumer has to store (default: 10)."""
    break_command: Doing
    """Breaks something that the consumer needs, such as its database, for the rule that needs this: a command or a
    function. `restore_command` always follows it, whatever happens."""
    restore_command: Doing
    """Restores what `break_command` breaks."""
    restart_command: Doing
    """Kills the consumer and starts it again, for the rules that need this."""
    seed: int
    """Seed that makes ids and generated events repeatable (default: that of the test)."""
    client_id: int
    """Client id of the events."""
    full_fidelity: bool
    """Whether every attempt of long runs of equal failures is sent, not simulated."""
    sweep: bool
    """Whether the rules that depend on assumptions are examined again with other ones."""
    clock: Path | str
    """File that leads the clock of a consumer in a process of its own: that of `mockcampaign clock run`."""
    explain: bool
    """Whether a violation shows its timeline, and how to reproduce it."""
    scenarios: Path | str
    """Folder for a scenario file of each violation."""
    ca: Path | str
    """File of a CA to trust as well."""
    insecure: bool
    """Whether any certificate is accepted."""
    resolve: Collection[str]
    """Addresses to connect to, as `NAME:PORT:ADDRESS`."""
    host_header: str
    """Value of the `Host` header, instead of the name in the URL."""
    timeout: Duration
    """Time-out of a request (default: 10 s)."""
    settle: Duration
    """How long the stored events may go on changing after a response, for a consumer whose tasks are not visible."""
    budget: Duration
    """Time limit of the whole check, without `memory` (default: 2 minutes)."""
    memory: Duration
    """How long to wait, once, before a batch from the beginning is redelivered at the end, for deduplication keys that
    live for minutes in a cache (default: not at all)."""
    lifespan: bool
    """False if somebody else starts and stops the ASGI application."""


_NEEDED = {
    "probe_events": ("probe", "probe_command"),
    "probe_count": ("probe", "probe_command"),
    "counters": ("probe", "probe_command", "probe_sql"),
    "states": ("state",),
    "keep": ("like",),
    "break_command": ("restore_command",),
    "restore_command": ("break_command",),
}
"""Arguments that have no effect without one of others, by name."""

PROBES = ("probe", "probe_command", "probe_sql")
"""Arguments that say where the stored events are: at most one of them."""

COMMANDS = ("probe_command", "restart_command", "break_command", "restore_command")
"""Arguments that may be the words of a command."""


def _check_effects(options: Mapping[str, object]) -> None:
    """Raise `MisuseError` for an argument that has no effect without another one."""
    for name, others in _NEEDED.items():
        if options.get(name) and all(options.get(other) is None for other in others):
            alternatives = " or ".join(f"{other}=" for other in others)
            raise MisuseError(f"{name}= has no effect alone, allowed: {name}= with {alternatives}")
    probes = [name for name in PROBES if options.get(name) is not None]
    if len(probes) > 1:
        raise MisuseError(f"allowed: one of {', '.join(PROBES)}, found {' and '.join(probes)}")


def _shape(options: CheckOptions) -> Shape:
    keep = tuple(options.get("keep", ()))
    kind = event_type_of(options["type"]) if "type" in options else None
    like, shape = options.get("like"), options.get("shape")
    if isinstance(shape, Shape):
        return shape
    if like is not None and not isinstance(like, Path | str):
        if shape is not None:
            raise MisuseError("a shape file corrects a file of captured events, allowed: like= with a path")
        events = [like] if isinstance(like, Mapping) else like
        return shape_of_events([dict(event) for event in events], kind, keep)
    files = () if like is None else (Path(like),)
    return shapes_of_files(files, None if shape is None else Path(shape), kind, keep)[0]


def _in_checks(known: Known) -> Known:
    """Return what a report of pytest says of a check's rule, which is a scenario there, as of the rule of any check."""
    from mockcampaign.check.rules import CATALOGUE

    examined = (known.scenario or "").partition(",")[0]
    return msgspec.structs.replace(known, scenario=None) if examined in {one.id for one in CATALOGUE} else known


def check_settings(
    marked: CampaignSettings, options: CheckOptions, now: int, baseline: Iterable[Known] = ()
) -> Settings:
    """Return the settings of a check at wall time `now`; the test's marker gives the seed and allowed rules.

    `baseline` is what the whole pytest run accepts.

    Raises `MisuseError` and `InvalidInputError` for values that do not exist.
    """
    check_names("campaign_check", options, CheckOptions.__annotations__)
    check_values("campaign_check", options)
    _check_effects(options)
    for name in COMMANDS:
        command = options.get(name)
        if isinstance(command, str):
            runnable(command, name)
    allow = options.get("allow", ())
    check_allowed(allow)
    settings = Settings(
        seed=marked.seed,
        now=now // SECOND * SECOND,
        rules=tuple(options.get("rules", ())),
        skip=tuple(options.get("skip", ())),
        known=(
            *(Known(rule) for rule in sorted({*marked.allow, *allow}) if rule != NOTHING_DELIVERED),
            *of_check(_in_checks(one) for one in baseline),
            *(of_check(read_baseline(Path(options["baseline"]))) if "baseline" in options else ()),
        ),
    )
    given: dict[str, Any] = {
        name: options[name]
        for name in (
            "strict",
            "seed",
            "client_id",
            "full_fidelity",
            "sweep",
            "examples",
            "histories",
            "history",
            "events",
            "rate",
            "restart_command",
            "break_command",
            "restore_command",
        )
        if name in options
    }
    given |= {
        name: duration_of(options[name], name) for name in ("timeout", "settle", "budget", "memory") if name in options
    }
    if given.get("budget") == 0:
        raise MisuseError(f"campaign_check: budget {options['budget']!r} is too short, allowed: 1ms or longer")
    given["shape"] = _shape(options)
    if "ca" in options:
        given["ca_file"] = Path(options["ca"])
    if "auth" in options:
        given["authentication"] = authentication_of(options["auth"])
    if "probe_fields" in options:
        given["probe_fields"] = tuple(options["probe_fields"])
    chosen = msgspec.structs.replace(settings, **given)
    unknown_field = next((name for name in chosen.probe_fields if name not in chosen.top_names), None)
    if unknown_field is not None:
        raise MisuseError(f"probe_fields: {unknown('field', unknown_field, chosen.top_names)}")
    return chosen
