"""The double's own API: what a test does to the served campaign, and what it sees of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from starlette.requests import Request

from mockcampaign import __version__
from mockcampaign.durations import parse_duration
from mockcampaign.errors import InvalidInputError
from mockcampaign.events import Sample
from mockcampaign.model import EventType
from mockcampaign.server import views
from mockcampaign.server.api import Api
from mockcampaign.server.fields import INT64_MAX, Integer
from mockcampaign.server.operations import JSON, Operation, Parameter, RequestRefusedError
from mockcampaign.server.served import ServedCampaign

PREFIX = "/__mockcampaign"

EMIT_COUNT_MAX = 1_000_000
"""Most events of one call. Ours: what fits in memory."""
JOURNAL_LIMIT_MAX = 1_000
SPEED_MAX = 1_000_000.0

Duration = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
        max_length=40,
        description="A duration such as 500ms, 90s, 10m, 2h, 3d or 1d12h.",
        examples=["10m"],
    ),
]
PositiveId = Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX, extra_json_schema={"format": "int64"})]


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


class Emit(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Recipients act."""

    type: EventType
    count: Annotated[int, msgspec.Meta(ge=1, le=EMIT_COUNT_MAX)] = 1
    over: Duration = "0s"
    """Spread over the time to come; at this instant without it."""
    like: dict[str, Any] | None = None
    """A captured event: more of its shape are made."""
    client_id: PositiveId | None = None
    """The first client without it."""


class Emitted(msgspec.Struct, frozen=True, rename="camel"):
    """How many events happen, and which webhooks are activated for them now."""

    events: int
    webhook_ids: list[int]


class Mailing(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A whole mailing is sent; its events fall due in the days after."""

    recipients: Annotated[int, msgspec.Meta(ge=1, le=EMIT_COUNT_MAX)]
    client_id: PositiveId | None = None


class MailingSent(msgspec.Struct, frozen=True, rename="camel"):
    """The mailing, and how many events will come of it."""

    mailing_id: int
    events: int


class Advance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Let time pass."""

    by: Duration


class Speed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How fast time passes by itself."""

    speed: Annotated[float, msgspec.Meta(ge=0, le=SPEED_MAX)]


class Outage(
    msgspec.Struct,
    frozen=True,
    rename={"duration": "for", "webhook_id": "webhookId"},
    kw_only=True,
    forbid_unknown_fields=True,
):
    """Nothing reaches the target for a time."""

    kind: str = "refused"
    duration: Duration
    webhook_id: PositiveId | None = None
    """All webhooks without it."""


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
        end = min(max(before, held.dropped), held.next_position)
        first = max(end - limit, held.dropped)
    entries = [
        views.entry(position, held.entries[position - held.dropped]) for position in range(first, max(first, end))
    ]
    return JournalPage(held.dropped, held.next_position, held.dropped, entries)


def _delivery(served: ServedCampaign, values: dict[str, Any]) -> views.DeliveryView:
    return views.delivery(served, values["position"], values["number"])


async def _emit(served: ServedCampaign, values: dict[str, Any]) -> Emitted:
    body: Emit = values["body"]
    client_id = _client(served, body.client_id)
    over = parse_duration(body.over)
    like = None if body.like is None else _sample(body.like, body.type)
    campaign = served.campaign
    prepared = await served.in_thread(
        lambda: campaign.prepare(body.type, body.count, over=over, like=like, client_id=client_id)
    )
    campaign.put(prepared)
    webhook_ids = [
        webhook.id
        for webhook in served.exporter.registry.of_client(client_id)
        if webhook.type == body.type and webhook.status == "activated"
    ]
    return Emitted(body.count, webhook_ids)


async def _advance(served: ServedCampaign, values: dict[str, Any]) -> ClockView:
    await served.pacer.advance(parse_duration(values["body"].by))
    return _clock(served, values)


def _set_speed(served: ServedCampaign, values: dict[str, Any]) -> ClockView:
    served.pacer.speed = values["body"].speed
    return _clock(served, values)


def _break(served: ServedCampaign, values: dict[str, Any]) -> None:
    body: Outage = values["body"]
    webhooks = [] if body.webhook_id is None else [served.webhook(body.webhook_id)]
    served.campaign.outage(parse_duration(body.duration), body.kind, *webhooks)


def _mend(served: ServedCampaign, values: dict[str, Any]) -> None:
    number = values["webhookId"]
    served.exporter.mend(() if number is None else (served.webhook(number).id,))


def _retry(served: ServedCampaign, values: dict[str, Any]) -> None:
    webhook = served.webhook(values["webhookId"])
    served.exporter.retry(webhook.client_id, webhook.id)


async def _reset(served: ServedCampaign, values: dict[str, Any]) -> None:
    await served.reset()


def _client(served: ServedCampaign, number: int | None) -> int:
    known = served.accounts.client_ids
    if number is None:
        return known[0]
    if number not in known:
        raise InvalidInputError(f"clientId: {number} is no client here, allowed: {', '.join(map(str, known[:10]))}")
    return number


def _sample(event: dict[str, Any], event_type: EventType) -> Sample:
    if event.get("type") != event_type:
        raise InvalidInputError(f"like: its type is not {event_type}, allowed: an event of that type")
    return Sample(event_type, (event,))


_WEBHOOK = Parameter(name="webhookId", kind=Integer(), description="Id of the webhook.", place="path", required=True)
_TAG = "Control"


def _position(name: str, description: str) -> Parameter:
    return Parameter(name=name, kind=Integer(-1), description=description)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="health",
        title="Ask whether the server is there",
        tag=_TAG,
        method="GET",
        path="/health",
        success_description="It is.",
        answer=Health,
        handle=_health,
    ),
    Operation(
        id="state",
        title="Get the present state",
        tag=_TAG,
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
        tag=_TAG,
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
        id="delivery",
        title="Get one attempt in full",
        description="Secrets are masked.",
        tag=_TAG,
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
    Operation(
        id="emit",
        title="Emit events",
        tag=_TAG,
        method="POST",
        path="/emit",
        body=Emit,
        success_description="The events happen.",
        answer=Emitted,
        handle=_emit,
    ),
    Operation(
        id="clock",
        title="Get the time",
        tag=_TAG,
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
        tag=_TAG,
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
        tag=_TAG,
        method="PUT",
        path="/clock/speed",
        body=Speed,
        success_description="Virtual time.",
        answer=ClockView,
        handle=_set_speed,
    ),
    Operation(
        id="declareOutage",
        title="Break the endpoint",
        description="From now on, for a time, no attempt reaches it. Kinds stand in the state as `outageKinds`.",
        tag=_TAG,
        method="POST",
        path="/outages",
        body=Outage,
        success=204,
        success_description="It is broken.",
        failures={404: "No such webhook exists."},
        handle=_break,
    ),
    Operation(
        id="mend",
        title="Mend the endpoint",
        tag=_TAG,
        method="DELETE",
        path="/outages",
        parameters=(
            Parameter(name="webhookId", kind=Integer(), description="Id of the webhook; all webhooks without it."),
        ),
        success=204,
        success_description="It can be reached.",
        failures={404: "No such webhook exists."},
        handle=_mend,
    ),
    Operation(
        id="retry",
        title="Retry now",
        description="The list that waits for its next attempt is due at once.",
        tag=_TAG,
        method="POST",
        path="/webhooks/{webhookId}/retry",
        parameters=(_WEBHOOK,),
        success=204,
        success_description="It is due.",
        failures={404: "No such webhook exists."},
        handle=_retry,
    ),
    Operation(
        id="reset",
        title="Forget everything",
        description="All webhooks, events and happenings are gone, and the clock stands at its start.",
        tag=_TAG,
        method="POST",
        path="/reset",
        success=204,
        success_description="All is as at the start.",
        handle=_reset,
    ),
)


def _anybody(served: ServedCampaign, request: Request) -> dict[str, Any]:
    return {}


def _error_body(refused: RequestRefusedError) -> bytes:
    return msgspec.json.encode(Problem("; ".join(refused.violations) or refused.message))


def _content_type(request: Request) -> str:
    return JSON


API = Api(
    prefix=PREFIX,
    operations=OPERATIONS,
    failures={
        400: "A field is wrong.",
        403: "The call came from another site.",
        413: "The body is too long.",
        415: "The body is not JSON.",
    },
    error=Problem,
    media_types=(JSON,),
    secured=False,
    admit=_anybody,
    error_body=_error_body,
    content_type=_content_type,
)
