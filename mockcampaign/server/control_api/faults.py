"""Letting things go wrong: operations of the control API on outages and faults, as `OPERATIONS`."""

from __future__ import annotations

from typing import Any

import msgspec

from mockcampaign.engine.declared_faults import fault_schema, read_fault
from mockcampaign.errors import InvalidInputError
from mockcampaign.faults import FAULTS
from mockcampaign.policy import INT64_MAX
from mockcampaign.server.control_api import views
from mockcampaign.server.http.call import RequestRefusedError
from mockcampaign.server.http.fields import DESCRIBED_DURATION_SCHEMA, Duration, Integer, PositiveId, duration
from mockcampaign.server.http.operations import CONTROL_TAG, Operation, Parameter
from mockcampaign.server.served_campaign import ServedCampaign

FAULTS_MAX = 100
"""Most faults in force at once. Ours: each is asked about at every attempt."""

WEBHOOK_KEY = "webhookId"


class Outage(
    msgspec.Struct,
    frozen=True,
    rename={"duration": "for", "webhook_id": WEBHOOK_KEY},
    kw_only=True,
    forbid_unknown_fields=True,
):
    """Nothing reaches the target for a time."""

    kind: str = "refused"
    duration: Duration
    webhook_id: PositiveId | None = None
    """All webhooks without it."""


def _break(served: ServedCampaign, values: dict[str, Any]) -> None:
    body: Outage = values["body"]
    webhooks = [] if body.webhook_id is None else [served.webhook(body.webhook_id)]
    served.campaign.outage(duration("for", body.duration), body.kind, *webhooks)


def _mend(served: ServedCampaign, values: dict[str, Any]) -> None:
    number = values[WEBHOOK_KEY]
    served.campaign.end_outage(*([] if number is None else [served.webhook(number)]))


def _declare(served: ServedCampaign, values: dict[str, Any]) -> views.FaultView:
    body = dict(values["body"])
    number = body.pop(WEBHOOK_KEY, None)
    if number is not None and (type(number) is not int or not 1 <= number <= INT64_MAX):
        raise InvalidInputError(f"{WEBHOOK_KEY}: {number!r} is out of range, allowed: a whole number from 1")
    fault, when = read_fault(body)
    webhooks = [] if number is None else [served.webhook(number)]
    if len(served.campaign.declared_faults()) >= FAULTS_MAX:
        raise InvalidInputError(f"{FAULTS_MAX} faults are in force, which is the limit: end one before")
    declared = served.campaign.declare_fault(fault, when, *webhooks)
    return next(view for view in views.faults(served) if view.number == declared.number)


def _list(served: ServedCampaign, values: dict[str, Any]) -> list[views.FaultView]:
    number = values[WEBHOOK_KEY]
    wanted = None if number is None else served.webhook(number).id
    return [view for view in views.faults(served) if wanted is None or view.webhook_id in (None, wanted)]


def _end(served: ServedCampaign, values: dict[str, Any]) -> None:
    number = values["number"]
    if all(declared.number != number for declared in served.campaign.declared_faults()):
        raise RequestRefusedError(404, f"fault {number} is not in force: never declared, over, or ended")
    served.campaign.end_fault(number)


def _end_all(served: ServedCampaign, values: dict[str, Any]) -> None:
    for declared in served.campaign.declared_faults():
        served.campaign.end_fault(declared.number)


def _fault_schema() -> dict[str, Any]:
    """One form for each kind."""
    webhook_id = {
        "anyOf": [{"type": "integer", "format": "int64", "minimum": 1, "maximum": INT64_MAX}, {"type": "null"}],
        "description": "All webhooks without it.",
        "default": None,
    }
    forms = [fault_schema(kind, DESCRIBED_DURATION_SCHEMA) for kind in FAULTS]
    return {
        "oneOf": [{**form, "properties": {**form["properties"], WEBHOOK_KEY: webhook_id}} for form in forms],
        "examples": [{"kind": "lost-ack", "times": 1}],
    }


_ONE_OR_ALL = Parameter(name=WEBHOOK_KEY, kind=Integer(), description="Id of the webhook; all webhooks without it.")
_NO_WEBHOOK = {404: "No such webhook exists."}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="declareOutage",
        title="Break the endpoint",
        description="From now on, for a time, no attempt reaches it. Kinds stand in the state as `outageKinds`.",
        tag=CONTROL_TAG,
        method="POST",
        path="/outages",
        body=Outage,
        success=204,
        success_description="It is broken.",
        failures=_NO_WEBHOOK,
        handle=_break,
    ),
    Operation(
        id="mend",
        title="Mend the endpoint",
        tag=CONTROL_TAG,
        method="DELETE",
        path="/outages",
        parameters=(_ONE_OR_ALL,),
        success=204,
        success_description="It can be reached.",
        failures=_NO_WEBHOOK,
        handle=_mend,
    ),
    Operation(
        id="declareFault",
        title="Declare a fault",
        description="From now on, it hits the attempts of a webhook, or of all: every one of them, or at most so many "
        "`times`, those within a duration (`for`), the n-th of `every` n, each with a `probability`. Each kind has "
        "settings of its own besides.",
        tag=CONTROL_TAG,
        method="POST",
        path="/faults",
        body=dict[str, Any],
        body_schema=_fault_schema,
        success=201,
        success_description="It is in force.",
        answer=views.FaultView,
        failures=_NO_WEBHOOK,
        handle=_declare,
    ),
    Operation(
        id="listFaults",
        title="Get the faults in force",
        tag=CONTROL_TAG,
        method="GET",
        path="/faults",
        parameters=(
            Parameter(name=WEBHOOK_KEY, kind=Integer(), description="Only those that concern the webhook of this id."),
        ),
        success_description="In the order in which they were declared; one that is over is not among them.",
        answer=list[views.FaultView],
        failures=_NO_WEBHOOK,
        handle=_list,
    ),
    Operation(
        id="endFault",
        title="End a fault",
        description="It hits no more.",
        tag=CONTROL_TAG,
        method="DELETE",
        path="/faults/{number}",
        parameters=(
            Parameter(name="number", kind=Integer(), description="The fault's number.", place="path", required=True),
        ),
        success=204,
        success_description="It is over.",
        failures={404: "No fault of that number is in force."},
        handle=_end,
    ),
    Operation(
        id="endFaults",
        title="End all faults",
        tag=CONTROL_TAG,
        method="DELETE",
        path="/faults",
        success=204,
        success_description="None is in force.",
        handle=_end_all,
    ),
)
