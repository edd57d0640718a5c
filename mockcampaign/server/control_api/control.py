"""The double's own API: what a test does to the served campaign, and what it sees of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from starlette.responses import Response

from mockcampaign import __version__
from mockcampaign.errors import InvalidInputError
from mockcampaign.server.control_api import emission, faults, views
from mockcampaign.server.control_api.stream import stream
from mockcampaign.server.http.api import Api
from mockcampaign.server.http.call import FORM, JSON, Call, RequestRefusedError
from mockcampaign.server.http.fields import Duration, Integer, duration, shortened
from mockcampaign.server.http.operations import CONTROL_TAG, Operation, Parameter
from mockcampaign.server.served_campaign import ServedCampaign

PREFIX = "/__mockcampaign"

JOURNAL_LIMIT_MAX = 1_000
SPEED_MAX = 1_000_000.0


class Problem(msgspec.Struct, frozen=True):
    """Why a call was refused, in one line."""

    error: str


class Health(msgspec.Struct, frozen=True):
    """The server answers."""

    status: str
    version: str


class ClockView(msgspec.Struct, frozen=True):
    """Virtual time."""

    now: int
    """Milliseconds since 1970."""
    speed: float
    """Virtual seconds in each second; 0: time moves only when told."""
    advancing: bool
    """Whether time is being advanced right now."""


class JournalPage(msgspec.Struct, frozen=True):
    """Some of the journal, in order. Positions from `first` up to, not including, `next` are held."""

    first: int
    next: int
    dropped: int
    entries: list[dict[str, Any]]


class Advance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Let time pass."""

    by: Duration


class Speed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How fast time passes by itself."""

    speed: Annotated[float, msgspec.Meta(ge=0, le=SPEED_MAX)]


def _health(served: ServedCampaign, values: dict[str, Any]) -> Health:
    return Health("ok", __version__)


def _state(served: ServedCampaign, values: dict[str, Any]) -> views.StateView:
    return views.state(served)


def _clock(served: ServedCampaign, values: dict[str, Any]) -> ClockView:
    return ClockView(served.campaign.now, served.pacer.speed, served.pacer.advancing)


def _journal(served: ServedCampaign, values: dict[str, Any]) -> JournalPage:
    held = served.hub.journal
    after, before, limit = values["after"], values["before"], values["limit"]
    if after is not None and before is not None:
        raise InvalidInputError("after and before: both given, allowed: one of them")
    if before is None:
        first = max(held.dropped, 0 if after is None else after + 1)
        end = min(first + limit, held.next_position)
    else:
        end = min(before, held.next_position)
        first = max(end - limit, held.dropped)
    entries = [
        views.entry(position, held.entries[position - held.dropped]) for position in range(first, max(first, end))
    ]
    return JournalPage(held.dropped, held.next_position, held.dropped, entries)


def _stream(served: ServedCampaign, values: dict[str, Any]) -> Response:
    return stream(served, values["lastEventId"])


def _delivery(served: ServedCampaign, values: dict[str, Any]) -> views.DeliveryView:
    return views.delivery(served, values["position"], values["number"])


async def _advance(served: ServedCampaign, values: dict[str, Any]) -> ClockView:
    await served.pacer.advance(duration("by", values["body"].by))
    return _clock(served, values)


def _set_speed(served: ServedCampaign, values: dict[str, Any]) -> ClockView:
    served.pacer.speed = values["body"].speed
    return _clock(served, values)


def _retry(served: ServedCampaign, values: dict[str, Any]) -> None:
    webhook = served.webhook(values["webhookId"])
    served.campaign.retry(webhook)


async def _reset(served: ServedCampaign, values: dict[str, Any]) -> None:
    await served.reset()


_NO_FORM = {415: "A form was sent."}
_WEBHOOK = Parameter(name="webhookId", kind=Integer(), description="Id of the webhook.", place="path", required=True)


def _position(name: str, description: str) -> Parameter:
    return Parameter(name=name, kind=Integer(-1), description=description)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="health",
        title="Ask whether the server is there",
        tag=CONTROL_TAG,
        method="GET",
        path="/health",
        success_description="It is.",
        answer=Health,
        handle=_health,
    ),
    Operation(
        id="state",
        title="Get the present state",
        tag=CONTROL_TAG,
        method="GET",
        path="/state",
        success_description="The clock, all webhooks with their queues, and totals.",
        answer=views.StateView,
        handle=_state,
    ),
    Operation(
        id="journal",
        title="Get what happened",
        description="The oldest entries are dropped, and counted, once there are more than the server holds. Equal "
        "consecutive attempts of a webhook are one entry, with a count.",
        tag=CONTROL_TAG,
        method="GET",
        path="/journal",
        parameters=(
            _position("after", "Only positions above it."),
            _position("before", "Only positions below it, the newest of them."),
            Parameter(
                name="limit", kind=Integer(1, JOURNAL_LIMIT_MAX), description="Most entries to return.", default=200
            ),
        ),
        success_description="Entries in order.",
        answer=JournalPage,
        handle=_journal,
    ),
    Operation(
        id="stream",
        title="Watch what happens",
        description="Server-sent events. `entry`: a journal entry, with its position as `id`, as it comes and whenever "
        "it has grown; `state`: the present state, now and then; `dropped`: so many entries were passed over, as the "
        "watcher is too slow; `reset`: all is forgotten. Who comes back with `Last-Event-ID` is told what came after, "
        "or, where only an earlier server can have told that, `reset` and all.",
        tag=CONTROL_TAG,
        method="GET",
        path="/stream",
        success_description="It goes on until the watcher leaves.",
        media_type="text/event-stream",
        failures={503: "As many watch as may."},
        handle=_stream,
    ),
    Operation(
        id="delivery",
        title="Get one attempt in full",
        description="Secrets are masked.",
        tag=CONTROL_TAG,
        method="GET",
        path="/deliveries/{position}",
        parameters=(
            Parameter(
                name="position",
                kind=Integer(0),
                description="Position of the attempt's journal entry.",
                place="path",
                required=True,
            ),
            Parameter(name="number", kind=Integer(), description="Which attempt of the entry; the last without it."),
        ),
        success_description="Request and answer.",
        answer=views.DeliveryView,
        failures={404: "No attempt stands there, or it is held no more."},
        handle=_delivery,
    ),
    *emission.OPERATIONS,
    Operation(
        id="clock",
        title="Get the time",
        tag=CONTROL_TAG,
        method="GET",
        path="/clock",
        success_description="Virtual time.",
        answer=ClockView,
        handle=_clock,
    ),
    Operation(
        id="advance",
        title="Advance the clock",
        description="Answers when all that falls due meanwhile has been done, as fast as the targets answer.",
        tag=CONTROL_TAG,
        method="POST",
        path="/clock/advance",
        body=Advance,
        success_description="The time has passed.",
        answer=ClockView,
        handle=_advance,
    ),
    Operation(
        id="setSpeed",
        title="Set the speed of the clock",
        tag=CONTROL_TAG,
        method="PUT",
        path="/clock/speed",
        body=Speed,
        success_description="Virtual time.",
        answer=ClockView,
        handle=_set_speed,
    ),
    *faults.OPERATIONS,
    Operation(
        id="retry",
        title="Retry now",
        description="The list that waits for its next attempt is due at once.",
        tag=CONTROL_TAG,
        method="POST",
        path="/webhooks/{webhookId}/retry",
        parameters=(_WEBHOOK,),
        success=204,
        success_description="It is due.",
        failures={404: "No such webhook exists.", **_NO_FORM},
        handle=_retry,
    ),
    Operation(
        id="reset",
        title="Forget everything",
        description="All webhooks, events and scheduled events are gone, and the clock stands at its start.",
        tag=CONTROL_TAG,
        method="POST",
        path="/reset",
        success=204,
        success_description="All is as at the start.",
        failures=_NO_FORM,
        handle=_reset,
    ),
)


_FORM_TYPES = (FORM, "multipart/form-data", "text/plain")
"""What a form on another site's page can send; a browser asks nobody before it does (Fetch standard, "CORS-safelisted
request-header")."""


def _not_a_form(served: ServedCampaign, call: Call) -> dict[str, Any]:
    sent = call.content_type
    if call.method == "POST" and sent in _FORM_TYPES:
        raise RequestRefusedError(415, f"Content-Type {shortened(sent)} is not accepted, allowed: {JSON}, or none")
    return {"lastEventId": call.header(b"last-event-id")}


def _error_body(refused: RequestRefusedError) -> bytes:
    return msgspec.json.encode(Problem("; ".join(refused.violations) or refused.message))


def _content_type(call: Call) -> str:
    return JSON


API = Api(
    prefix=PREFIX,
    operations=OPERATIONS,
    failures={
        400: "A field is wrong.",
        403: "The call came from another site, or its Host is none of this server's names.",
        413: "The body is too long.",
        415: "The body is not JSON.",
    },
    error=Problem,
    media_types=(JSON,),
    secured=False,
    admit=_not_a_form,
    error_body=_error_body,
    content_type=_content_type,
)
