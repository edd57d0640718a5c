"""What becomes of an ordinary list after something that Campaign never sends."""

from __future__ import annotations

from typing import assert_never

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.rule_store import body_of
from mockcampaign.check.reproduce.curl import curl
from mockcampaign.check.rule import Examined, violated
from mockcampaign.errors import CouldNotTellError
from mockcampaign.model import NoResponse, Outcome, Responded, TimedOut

_CATCH = (
    "Catch whatever may be thrown while a request is handled, and answer 400 or 500: what nobody catches ends the "
    "process. Bound how deep a body may be nested before anything walks down into it."
)

_WHOLE = (
    "Answer every list with a whole HTTP/1.1 response: a body as long as Content-Length says in bytes, the connection "
    "closed only after it, and no exception that reaches the server."
)
_FASTER = (
    "Store a list in one statement and one transaction, answer, and do what takes long afterwards. End the answer: by "
    "its Content-Length, or by closing the connection."
)
_THROTTLES = "Do not limit the rate of a sender that has one connection and waits for each answer."


def throttled(outcome: Outcome) -> str | None:
    """How to mend it, where the consumer says that it is the rate of the requests and not what is in them."""
    return _THROTTLES if isinstance(outcome, Responded) and outcome.status == 429 else None


def advice(outcome: Outcome) -> str | None:
    """How to mend it, where how a list ended tells more than what was in it."""
    match outcome:
        case Responded():
            return throttled(outcome)
        case TimedOut():
            return _FASTER
        case NoResponse():
            return _WHOLE
        case _:
            assert_never(outcome)


def died(before: str, reason: str, commands: str | None = None) -> Examined:
    """The violation that nobody is there any more; `reason` says how one knows."""
    found = f"{before}, and then nobody was there any more"
    return violated(f"{found} ({reason})", curl=commands, found=found, fix=_CATCH)


async def aftermath(bench: Bench, before: str, command: str | None = None) -> Examined | None:
    """The violation, if it is not taken any more; `before` says what came before it, and `command` sends that.

    A consumer that was there until then, and is gone, has died of it: that is no trouble of ours.
    """
    events = bench.events(2)
    commands = None
    if command is not None:
        commands = f"{command}\n{curl(bench.url, body_of(events), bench.settings.authentication)}"
    try:
        delivery = await bench.deliver(events, attempts=3)
    except CouldNotTellError as gone:
        return died(before, str(gone), commands)
    if delivery.accepted:
        return None
    said = f"{before}, and then {delivery.describe()} to an ordinary list"
    return violated(said, curl=commands, fix=throttled(delivery.last))
