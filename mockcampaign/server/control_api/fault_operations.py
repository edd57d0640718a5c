"""Operations on outages and faults, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any, Self

import msgspec

from mockcampaign.engine.declared_faults import When, fault_schema, read_fault
from mockcampaign.errors import InvalidInputError
from mockcampaign.faults import FAULTS
from mockcampaign.model import Fault
from mockcampaign.server.control_api.state_view import FaultView, faults
from mockcampaign.server.http.operation import CONTROL_TAG, Call, Operation
from mockcampaign.server.http.request import RequestRejectedError
from mockcampaign.server.http.request_fields import CustomField, Duration, Id, NoFields, about

FAULTS_MAX = 100
"""Maximum number of faults in force. Ours: every attempt looks at each of them."""

WEBHOOK_KEY = "webhookId"


class OutageRequest(
    msgspec.Struct,
    frozen=True,
    rename={"duration": "for", "webhook_id": WEBHOOK_KEY},
    kw_only=True,
    forbid_unknown_fields=True,
):
    """An outage: for a time, no attempt reaches the target."""

    kind: str = "refused"
    duration: Duration
    webhook_id: Id | None = None
    """Id of the webhook (default: all webhooks)."""


class DeclaredOutageView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An outage that has begun: until its end, every attempt fails, first of all those of events that are pending."""

    kind: str
    webhook_id: int | None
    """None: the outage concerns all webhooks."""
    until: int
    """The moment at which the outage ends, in milliseconds since 1970."""


class OutageQuery(msgspec.Struct, frozen=True, rename="camel"):
    """The outages to end."""

    webhook_id: Annotated[Id, about("Id of the webhook (default: all webhooks).")] | None = None


class FaultQuery(msgspec.Struct, frozen=True, rename="camel"):
    """The faults to return."""

    webhook_id: Annotated[Id, about("Only faults that concern the webhook of this id.")] | None = None


class FaultFields(msgspec.Struct, frozen=True):
    """The path to one fault."""

    number: Annotated[Id, about("The fault's number.")]


class FaultDeclaration(msgspec.Struct, frozen=True):
    """A fault, when it hits, and the only webhook that it concerns; None: it concerns all."""

    fault: Fault
    when: When
    webhook_id: int | None


class FaultRequest(CustomField[FaultDeclaration]):
    """A fault as a request declares it: its kind, its own settings, and when it hits."""

    __slots__ = ()

    @classmethod
    def read(cls, raw: object) -> Self:
        if not isinstance(raw, dict):
            raise InvalidInputError(f"the body is not a JSON object, allowed: {cls.allowed()}")
        settings = dict(raw)
        try:
            webhook_id = msgspec.convert(settings.pop(WEBHOOK_KEY, None), Id | None)
        except msgspec.ValidationError:
            raise InvalidInputError(f"{WEBHOOK_KEY}: is not valid, allowed: the id of a webhook") from None
        return cls(FaultDeclaration(*read_fault(settings), webhook_id))

    @classmethod
    def allowed(cls) -> str:
        return "an object with the field kind and the settings of that kind"

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return one form for each kind."""
        webhook_id = msgspec.json.schema(Id | None) | {
            "description": "Id of the webhook (default: all webhooks).",
            "default": None,
        }
        forms = [fault_schema(kind, Duration.schema()) for kind in FAULTS]
        return {
            "oneOf": [{**form, "properties": {**form["properties"], WEBHOOK_KEY: webhook_id}} for form in forms],
            "examples": [{"kind": "lost-ack", "times": 1}],
        }


def _declare_outage(call: Call, request: OutageRequest) -> DeclaredOutageView:
    campaign = call.served.campaign
    webhooks = [] if request.webhook_id is None else [call.served.webhook(request.webhook_id)]
    until = campaign.now + request.duration.value
    campaign.outage(request.duration.value, request.kind, *webhooks)
    return DeclaredOutageView(kind=request.kind, webhook_id=request.webhook_id, until=until)


def _end_outage(call: Call, query: OutageQuery) -> None:
    webhooks = [] if query.webhook_id is None else [call.served.webhook(query.webhook_id)]
    call.served.campaign.end_outage(*webhooks)


def _declare_fault(call: Call, request: FaultRequest) -> FaultView:
    served = call.served
    declaration = request.value
    webhooks = [] if declaration.webhook_id is None else [served.webhook(declaration.webhook_id)]
    if len(served.campaign.declared_faults()) >= FAULTS_MAX:
        raise InvalidInputError(f"{FAULTS_MAX} faults are in force, which is the limit: end one first")
    declared = served.campaign.declare_fault(declaration.fault, declaration.when, *webhooks)
    return next(view for view in faults(served) if view.number == declared.number)


def _list_faults(call: Call, query: FaultQuery) -> list[FaultView]:
    wanted = None if query.webhook_id is None else call.served.webhook(query.webhook_id).id
    return [view for view in faults(call.served) if wanted is None or view.webhook_id in (None, wanted)]


def _end_fault(call: Call, fields: FaultFields) -> None:
    campaign = call.served.campaign
    if all(declared.number != fields.number for declared in campaign.declared_faults()):
        raise RequestRejectedError(404, f"fault {fields.number} is not in force: never declared, over, or ended")
    campaign.end_fault(fields.number)


def _end_all_faults(call: Call, fields: NoFields) -> None:
    campaign = call.served.campaign
    for declared in campaign.declared_faults():
        campaign.end_fault(declared.number)


_NO_WEBHOOK = {404: "The webhook does not exist."}

OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="declareOutage",
        title="Declare an outage",
        description="From now on, for a time, no attempt reaches the endpoint. Events that were delivered before are "
        "not affected. `outageKinds` of the state lists the kinds.",
        tag=CONTROL_TAG,
        method="POST",
        path="/outages",
        fields=OutageRequest,
        success=201,
        success_description="The outage is in force.",
        response=DeclaredOutageView,
        failures=_NO_WEBHOOK,
        handle=_declare_outage,
    ),
    Operation(
        id="endOutages",
        title="End outages",
        tag=CONTROL_TAG,
        method="DELETE",
        path="/outages",
        fields=OutageQuery,
        success=204,
        success_description="Attempts reach the endpoint.",
        failures=_NO_WEBHOOK,
        handle=_end_outage,
    ),
    Operation(
        id="declareFault",
        title="Declare a fault",
        description="From now on, the fault hits attempts of one webhook or of all. One whose kind begins with `api-` "
        "hits calls of the REST API instead, of one `operation` or of all. `times` limits how often it hits, and `for` "
        "how long; with `every`, it hits each n-th attempt or call, and with `probability`, each with that "
        "probability. Each kind has settings of its own besides.",
        tag=CONTROL_TAG,
        method="POST",
        path="/faults",
        fields=FaultRequest,
        success=201,
        success_description="The fault is in force.",
        response=FaultView,
        failures=_NO_WEBHOOK,
        handle=_declare_fault,
    ),
    Operation(
        id="listFaults",
        title="Get the faults in force",
        tag=CONTROL_TAG,
        method="GET",
        path="/faults",
        fields=FaultQuery,
        success_description="In the order in which they were declared, without those that are over.",
        response=list[FaultView],
        failures=_NO_WEBHOOK,
        handle=_list_faults,
    ),
    Operation(
        id="endFault",
        title="End a fault",
        description="It hits no further attempt.",
        tag=CONTROL_TAG,
        method="DELETE",
        path="/faults/{number}",
        fields=FaultFields,
        success=204,
        success_description="The fault has ended.",
        failures={404: "No fault of that number is in force."},
        handle=_end_fault,
    ),
    Operation(
        id="endFaults",
        title="End all faults",
        tag=CONTROL_TAG,
        method="DELETE",
        path="/faults",
        fields=NoFields,
        success=204,
        success_description="No fault is in force.",
        handle=_end_all_faults,
    ),
)
