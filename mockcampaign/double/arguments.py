"""The arguments of every public call and the values they take. Anything else is one sentence, not an error deep inside.

Arguments whose values are converted, such as durations, counts and credentials, are checked in `inputs`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from mockcampaign.errors import MisuseError
from mockcampaign.events import Rates, Sample
from mockcampaign.model import Webhook
from mockcampaign.policy import CHECKED_CLIENT_ID_MAX, INT64_MAX, Policy
from mockcampaign.shape.shape import Shape
from mockcampaign.text import kind_of, short, unknown

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here


class Takes(msgspec.Struct, frozen=True):
    """The values that an argument takes."""

    allowed: str
    """These values in words, as a message shows them."""
    fits: Callable[[Any], bool]
    is_secret: bool = False
    """Whether a message must not repeat a value."""


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_texts(value: object) -> bool:
    return (
        isinstance(value, Collection)
        and not isinstance(value, str | bytes | Mapping)
        and all(isinstance(one, str) for one in value)
    )


def _are_texts_by_name(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(one, str) for pair in value.items() for one in pair)


def _are_events(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


def _is_like(value: object) -> bool:
    if isinstance(value, Mapping | Path | str | Shape | Sample):
        return True
    return isinstance(value, Collection) and all(isinstance(one, Mapping) for one in value)


def _is_engine(value: object) -> bool:
    if isinstance(value, str):
        return True
    # Nor the `sync_engine` of an asynchronous one, which connects only from within its own calls.
    is_async = getattr(getattr(value, "dialect", None), "is_async", False)
    return hasattr(value, "url") and callable(getattr(value, "connect", None)) and not is_async


def _is_sql(value: object) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and _is_engine(value[0]) and isinstance(value[1], str)


def optional(takes: Takes) -> Takes:
    """Return the same values and None."""
    return msgspec.structs.replace(takes, fits=lambda value: value is None or takes.fits(value))


WEBHOOK = Takes("a webhook, as webhook(…) or webhooks has it", lambda value: isinstance(value, Webhook))
TEXT = Takes("a text", lambda value: isinstance(value, str))
FLAG = Takes("True or False", lambda value: isinstance(value, bool))
WHOLE = Takes("a whole number from 1", lambda value: _is_whole(value) and value > 0)
CLIENT = Takes(f"a whole number from 1 to {INT64_MAX}", lambda value: _is_whole(value) and 0 < value <= INT64_MAX)
CHECKED_CLIENT = Takes(
    f"a whole number from 1 to {CHECKED_CLIENT_ID_MAX}",
    lambda value: _is_whole(value) and 0 < value <= CHECKED_CLIENT_ID_MAX,
)
SEED = Takes(f"a whole number from 0 to {INT64_MAX}", lambda value: _is_whole(value) and 0 <= value <= INT64_MAX)
NAMES = Takes("a list of texts, such as ['responds-200']", _are_texts)
FIELDS = Takes("a list of names of fields", _are_texts)
ADDRESSES = Takes("a list of texts, such as ['hooks.example.com:443:127.0.0.1']", _are_texts)
FUNCTION = Takes("a function", callable)
CLOCK = Takes(
    "an object with move_to(datetime), or the path of a clock file",
    lambda value: isinstance(value, str | Path) or callable(getattr(value, "move_to", None)),
)
EVENTS = Takes("a list of events, each a mapping", _are_events)
LIKE = Takes("an event, a list of events, a file that contains them, or a Shape", _is_like)
RATES = Takes("mockcampaign.events.Rates(…)", lambda value: isinstance(value, Rates))
POLICY = Takes("mockcampaign.Policy(…)", lambda value: isinstance(value, Policy))
MOMENT = Takes("a datetime, or a text such as '2025-01-01T00:00:00Z'", lambda value: isinstance(value, str | datetime))
MAIL = Takes("the name or the id of a mail", lambda value: _is_whole(value) or isinstance(value, str))
FILE = Takes("a path", lambda value: isinstance(value, str | Path))
ENGINE = Takes("a synchronous engine of SQLAlchemy, or the URL of a database", _is_engine, is_secret=True)
SQL = Takes("a pair of a synchronous engine, or its URL, and a query", _is_sql, is_secret=True)
BY_NAME = Takes("a mapping by name", lambda value: isinstance(value, Mapping))
DATA = Takes("texts by the names of fields, such as {'order': '4711'}", _are_texts_by_name, is_secret=True)
PASSWORD = Takes("a text", lambda value: isinstance(value, str), is_secret=True)

ARGUMENTS: Mapping[str, Mapping[str, Takes]] = {
    "campaign": {
        "path": TEXT,
        "allow": NAMES,
        "seed": SEED,
        "start": optional(MOMENT),
        "policy": optional(POLICY),
    },
    "webhook": {"path": TEXT, "activate": FLAG, "lifespan": FLAG, "settled": optional(FUNCTION)},
    "activate": {"webhook": WEBHOOK},
    "deactivate": {"webhook": WEBHOOK},
    "suspend": {"webhook": WEBHOOK},
    "delete": {"webhook": WEBHOOK},
    "emit": {"events": optional(EVENTS), "like": optional(LIKE)},
    "mailing": {"recipients": WHOLE, "rates": RATES},
    "send": {"recipient": TEXT, "mail": optional(MAIL), "data": optional(DATA), "client_id": CLIENT},
    "confirm_optin": {"recipient": TEXT, "client_id": CLIENT},
    "outage": {"kind": TEXT, "webhooks": WEBHOOK},
    "fault": {"kind": TEXT, "webhooks": WEBHOOK},
    "run": {"despite_rejections": FLAG},
    "assert_compliant": {"strict": FLAG, "allow": NAMES},
    "probe_sql": {"engine": ENGINE, "query": TEXT},
    "delivered": {"webhooks": WEBHOOK},
    "deliveries": {"webhooks": WEBHOOK},
    "requests": {"operations": TEXT},
    "payload": {"serial": WHOLE},
    "lead": {"clocks": CLOCK},
    "rotate_password": {"password": PASSWORD},
    "campaign_check": {
        "probe_command": TEXT,
        "probe_sql": optional(SQL),
        "probe_events": TEXT,
        "probe_count": TEXT,
        "probe_fields": FIELDS,
        "states": TEXT,
        "counters": BY_NAME,
        "like": LIKE,
        "keep": FIELDS,
        "rules": NAMES,
        "skip": NAMES,
        "allow": NAMES,
        "baseline": FILE,
        "strict": FLAG,
        "seed": SEED,
        "client_id": CHECKED_CLIENT,
        "examples": WHOLE,
        "histories": WHOLE,
        "history": WHOLE,
        "events": WHOLE,
        "rate": WHOLE,
        "full_fidelity": FLAG,
        "sweep": FLAG,
        "clock": FILE,
        "explain": FLAG,
        "scenarios": FILE,
        "ca": FILE,
        "insecure": FLAG,
        "resolve": ADDRESSES,
        "host_header": TEXT,
        "lifespan": FLAG,
    },
    "campaign_server_factory": {
        "allow": NAMES,
        "seed": optional(SEED),
        "start": optional(MOMENT),
        "policy": optional(POLICY),
    },
    "marker": {
        "allow": NAMES,
        "seed": optional(SEED),
        "start": optional(MOMENT),
        "policy": optional(POLICY),
    },
}
"""The values of arguments, by call and name. `marker` is `@pytest.mark.mockcampaign`."""


def check_values(call: str, given: Mapping[str, Any]) -> None:
    """Raise `MisuseError` for a value that an argument of the call does not take."""
    for name, takes in ARGUMENTS[call].items():
        if name in given:
            check_value(f"{call}: {name}", takes, given[name])


def check_each(call: str, name: str, values: Iterable[object]) -> None:
    """Raise `MisuseError` for one of several values that an argument such as `*webhooks` does not take."""
    for value in values:
        check_value(f"{call}: {name.removesuffix('s')}", ARGUMENTS[call][name], value)


def check_value(where: str, takes: Takes, value: object) -> None:
    """Raise `MisuseError` unless the argument takes the value; `where` names the call and the argument."""
    if not takes.fits(value):
        raise MisuseError(f"{where} is {_shown(value, takes)}, allowed: {takes.allowed}")


def _shown(value: object, takes: Takes) -> str:
    if takes.is_secret or not (value is None or isinstance(value, str | int | float)):
        return kind_of(value)
    return short(repr(value))


def check_names(call: str, given: Iterable[str], known: Collection[str]) -> None:
    """Raise `MisuseError` for an argument that the call does not have."""
    for name in given:
        if name not in known:
            raise MisuseError(f"{call}: {unknown('argument', name, sorted(known))}")


def checked(method: Callable[..., object]) -> Callable[[tuple[Any, ...], Mapping[str, Any]], None]:
    """Return a function that checks the arguments of a method, `self` included; its name is that of the call."""
    call = method.__name__
    table = ARGUMENTS.get(call)
    if table is None:
        return lambda positional, named: None
    signature = inspect.signature(method)
    several = next((name for name, one in signature.parameters.items() if one.kind is one.VAR_POSITIONAL), None)

    def check(positional: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        try:
            given = signature.bind(*positional, **named).arguments
        except TypeError:
            return  # the call itself says which argument it does not have
        if several is not None and several in table:
            check_each(call, several, given.pop(several, ()))
        check_values(call, given)

    return check
