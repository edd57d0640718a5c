"""Operations on the clock, a retry at once, and a reset, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mockcampaign.durations import MOMENT_MAX, format_duration, format_moment
from mockcampaign.errors import InvalidInputError
from mockcampaign.server.http.operation import CONTROL_TAG, INTERRUPTIONS, Call, Operation
from mockcampaign.server.http.request_fields import Duration, Id, NoFields, about

SPEED_MAX = 1_000_000.0


class ClockView(msgspec.Struct, frozen=True):
    """Virtual time."""

    now: int
    """Milliseconds since 1970."""
    speed: float
    """Virtual seconds per second; at 0, only `advance` moves time."""
    advancing: bool
    """Whether an `advance` is under way."""


class AdvanceRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The time that passes."""

    by: Duration


class SpeedRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The speed at which time passes by itself."""

    speed: Annotated[float, msgspec.Meta(ge=0, le=SPEED_MAX)]


class RetryFields(msgspec.Struct, frozen=True, rename="camel"):
    """The path to one webhook."""

    webhook_id: Annotated[Id, about("Id of the webhook.")]


def _clock(call: Call, fields: NoFields) -> ClockView:
    return _view(call)


async def _advance(call: Call, request: AdvanceRequest) -> ClockView:
    if call.served.campaign.now + request.by.value > MOMENT_MAX:
        raise InvalidInputError(
            f"by: the clock would pass {format_moment(MOMENT_MAX)}, where time ends, allowed: up to "
            f"{format_duration(MOMENT_MAX - call.served.campaign.now)}, or a reset"
        )
    campaign = call.served.campaign
    campaign.check_clock()  # before time passes
    await call.served.pacer.advance(request.by.value)
    campaign.show_time()
    return _view(call)


def _set_speed(call: Call, request: SpeedRequest) -> ClockView:
    call.served.pacer.speed = request.speed
    return _view(call)


def _suspend(call: Call, fields: RetryFields) -> None:
    call.served.campaign.suspend(call.served.webhook(fields.webhook_id))


def _retry(call: Call, fields: RetryFields) -> None:
    call.served.campaign.retry(call.served.webhook(fields.webhook_id))


async def _reset(call: Call, fields: NoFields) -> None:
    await call.served.reset()


def _view(call: Call) -> ClockView:
    return ClockView(call.served.campaign.now, call.served.pacer.speed, call.served.pacer.advancing)


_NO_FORM = {415: "The body is a form."}

OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="clock",
        title="Get the time",
        tag=CONTROL_TAG,
        method="GET",
        path="/clock",
        fields=NoFields,
        success_description="Virtual time.",
        response=ClockView,
        handle=_clock,
    ),
    Operation(
        id="advance",
        title="Advance the clock",
        description="Responds when everything that falls due meanwhile is done, as fast as the targets respond.",
        tag=CONTROL_TAG,
        method="POST",
        path="/clock/advance",
        fields=AdvanceRequest,
        success_description="The time has passed.",
        response=ClockView,
        failures=INTERRUPTIONS,
        handle=_advance,
    ),
    Operation(
        id="setSpeed",
        title="Set the speed of the clock",
        tag=CONTROL_TAG,
        method="PUT",
        path="/clock/speed",
        fields=SpeedRequest,
        success_description="Virtual time.",
        response=ClockView,
        handle=_set_speed,
    ),
    Operation(
        id="retry",
        title="Retry now",
        description="The batch that waits for its retry is due at once.",
        tag=CONTROL_TAG,
        method="POST",
        path="/webhooks/{webhookId}/retry",
        fields=RetryFields,
        success=204,
        success_description="The batch is due.",
        failures={404: "The webhook does not exist.", **_NO_FORM},
        handle=_retry,
    ),
    Operation(
        id="suspend",
        title="Suspend a webhook",
        description="It exports nothing until it is activated again; events stay pending (assumed).",
        tag=CONTROL_TAG,
        method="POST",
        path="/webhooks/{webhookId}/suspend",
        fields=RetryFields,
        success=204,
        success_description="The webhook is suspended.",
        failures={404: "The webhook does not exist.", **_NO_FORM},
        handle=_suspend,
    ),
    Operation(
        id="reset",
        title="Reset everything",
        description="Removes all webhooks, events and scheduled events, sets the clock to its start, and draws a new "
        "seed unless one was given at the start.",
        tag=CONTROL_TAG,
        method="POST",
        path="/reset",
        fields=NoFields,
        success=204,
        success_description="The campaign is as at its start.",
        failures=_NO_FORM,
        handle=_reset,
    ),
)
