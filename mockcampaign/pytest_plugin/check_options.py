"""The optional arguments of `campaign_check`, and the settings of the check that follow from them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import msgspec

from mockcampaign.check.baseline import Known
from mockcampaign.check.settings import Settings
from mockcampaign.double.control.home import CampaignSettings
from mockcampaign.double.control.violations import NOTHING_DELIVERED
from mockcampaign.double.inputs import Credentials, Duration, authentication_of, duration_of, event_type_of
from mockcampaign.errors import MisuseError
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

    Only the command has options for variations of the sender (`--sweep`), every attempt of long failures
    (`--full-fidelity`), reproductions (`--explain`, `--scenarios`), files (`--journal`, and `--baseline`, for which
    there is `allow`), certificates (`--ca`, `--insecure`), routes (`--resolve`, `--host-header`) and the `--client-id`.
    """

    probe: AskedFor | str | None
    """The events that the consumer has stored: a function that returns them or their number, or a URL or path that
    does. Without it, the rules that need it are skipped."""
    probe_events: str
    """JMESPath to the events in the response of the probe's URL (default: `@`)."""
    probe_count: str
    """JMESPath to the number of events, instead of `probe_events`."""
    probe_sql: tuple[Any, str]
    """An engine of SQLAlchemy, or the URL of one, and the query that returns the stored events, such as
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
    "probe_events": "probe",
    "probe_count": "probe",
    "counters": "probe",
    "keep": "like",
    "break_command": "restore_command",
    "restore_command": "break_command",
}
"""Arguments that have no effect without another one, by name."""


def _check_effects(options: Mapping[str, object]) -> None:
    """Raise `MisuseError` for an argument that has no effect without another one."""
    for name, other in _NEEDED.items():
        if options.get(name) and options.get(other) is None:
            raise MisuseError(f"{name}= has no effect alone, allowed: {name}= with {other}=")


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


def check_settings(marked: CampaignSettings, options: CheckOptions, now: int) -> Settings:
    """Return the settings of a check at wall time `now`; the test's marker gives the seed and allowed rules.

    Raises `MisuseError` and `InvalidInputError` for values that do not exist.
    """
    _check_effects(options)
    allow = options.get("allow", ())
    check_allowed(allow)
    settings = Settings(
        seed=marked.seed,
        now=now // SECOND * SECOND,
        rules=tuple(options.get("rules", ())),
        skip=tuple(options.get("skip", ())),
        known=tuple(Known(rule) for rule in sorted({*marked.allow, *allow}) if rule != NOTHING_DELIVERED),
    )
    given: dict[str, Any] = {
        name: options[name]
        for name in (
            "strict",
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
    given["shape"] = _shape(options)
    if "auth" in options:
        given["authentication"] = authentication_of(options["auth"])
    if "probe_fields" in options:
        given["probe_fields"] = tuple(options["probe_fields"])
    chosen = msgspec.structs.replace(settings, **given)
    unknown_field = next((name for name in chosen.probe_fields if name not in chosen.top_names), None)
    if unknown_field is not None:
        raise MisuseError(f"probe_fields: {unknown('field', unknown_field, chosen.top_names)}")
    return chosen
