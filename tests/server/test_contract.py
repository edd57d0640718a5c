"""The server against its own OpenAPI document, with requests that schemathesis makes up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from requests.auth import HTTPBasicAuth

from mockcampaign.campaign import Campaign
from mockcampaign.clients.smart_campaign import CampaignKind
from mockcampaign.server.app import APIS
from mockcampaign.server.control_api.api import PREFIX
from mockcampaign.server.http.openapi import document
from mockcampaign.transport.always_ok import AlwaysOkTransport
from servers import CLIENT, PASSWORD, USER, Server, running_server

schemathesis = pytest.importorskip("schemathesis")

# Nobody listens at the discard port.
DOCUMENT = json.loads(document(APIS, CLIENT).replace(b"127.0.0.1:8000", b"127.0.0.1:9"))
for methods in DOCUMENT["paths"].values():
    for operation in methods.values():
        for parameter in operation["parameters"]:
            if parameter["name"] == "clientId":
                parameter["schema"]["enum"] = [CLIENT]  # no other has a user

# Ids that exist, so that most calls get further than to a 404.
STATE = Campaign(AlwaysOkTransport()).client(CLIENT).state
KNOWN = {
    "recipientListId": list(STATE.lists),
    "transactionalMailId": [one.id for one in STATE.campaigns_of(CampaignKind.EVENT)],
    "optinProcessId": list(STATE.optin_processes),
}
for methods in DOCUMENT["paths"].values():
    for operation in methods.values():
        fields = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
        for content in operation.get("requestBody", {}).get("content", {}).values():
            fields |= content["schema"].get("properties", {})
        for name, ids in KNOWN.items():
            if name in fields:
                fields[name]["enum"] = ids

# A check sends requests, so it goes to nobody. Few of its fields, because all of them take long to make up.
CHECK = DOCUMENT["components"]["schemas"]["CheckRequest"]
CHECK["properties"] = {name: CHECK["properties"][name] for name in ("seed", "strict", "budget", "type")}
CHECK["properties"]["target"] = {"const": "http://127.0.0.1:9/hook"}

FAULT_FORMS = DOCUMENT["paths"][f"{PREFIX}/faults"]["post"]["requestBody"]["content"]["application/json"]["schema"]
# A few stand for all, because two dozen forms make thousands of requests. `test_control` declares every kind.
FAULT_FORMS["oneOf"] = [form for form in FAULT_FORMS["oneOf"] if form["title"] in ("refused", "cut-body", "latency")]
for path in [path for path in DOCUMENT["paths"] if path.endswith("/stream")]:
    del DOCUMENT["paths"][path]  # endless, or until a check ends
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
SCHEMA.auth.set_from_requests(HTTPBasicAuth(USER, PASSWORD))

# A valid request may not fit the state, such as one webhook too many.
CHECKS = [check for check in schemathesis.checks.CHECKS.get_all() if check.__name__ != "positive_data_acceptance"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


CONTRACT = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


MANY = 10_000


def is_quick(case: Any) -> bool:
    """Whether the call makes few enough events: a million is allowed, but slow."""
    body = case.body if isinstance(case.body, dict) else {}
    numbers = [body.get("count"), body.get("recipients")]
    return not any(isinstance(number, int | float) and MANY < number <= 1_000_000 for number in numbers)


@SCHEMA.parametrize()
@CONTRACT
def test_every_operation_responds_as_documented(case: Any, server: Server) -> None:
    known = {parameter["name"] for parameter in case.operation.definition.raw["parameters"]}
    assume(set(case.query or ()) <= known)  # the server ignores others on purpose
    assume(is_quick(case))
    response = case.call(base_url=server.url, timeout=20)
    # Too large a body is rejected before it is read, which schemathesis does not take for a rejection.
    known_rejections = {"negative_data_rejection"} if response.status_code == 413 else set()
    case.validate_response(response, checks=[one for one in CHECKS if one.__name__ not in known_rejections])


@SCHEMA.parametrize()
@settings(CONTRACT, max_examples=1)
def test_a_request_for_another_host_is_rejected_as_documented(case: Any, server: Server) -> None:
    assume(is_quick(case))
    case.headers = {"Host": "rebound.example"}
    answer = case.call(base_url=server.url, timeout=20)
    assert answer.status_code == 403
    case.validate_response(
        answer, checks=[schemathesis.checks.status_code_conformance, schemathesis.checks.response_schema_conformance]
    )


STATES = SCHEMA.as_state_machine()


class Life(STATES):  # type: ignore[misc, valid-type]
    """Follows the document's links: what was created is updated, verified, activated, deactivated and deleted."""

    server: Server

    def get_call_kwargs(self, case: Any) -> dict[str, Any]:
        return {"base_url": self.server.url, "timeout": 20}

    def validate_response(self, response: Any, case: Any, **more: Any) -> None:
        known = {parameter["name"] for parameter in case.operation.definition.raw["parameters"]}
        if set(case.query or ()) <= known:
            case.validate_response(response, checks=CHECKS)


def test_following_the_links_responds_as_documented(server: Server) -> None:
    Life.server = server
    Life.run(
        settings=settings(
            max_examples=10, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
        )
    )


OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
PRODUCED = {
    "createWebhook": {"webhookId": "id"},
    "createOrCopySmartCampaign": {"campaignId": "id"},
    "createCampaignMessage": {"mailingId": "mailingId"},
    "createTransactionalMailing": {"transactionalMailId": "id"},
    "addRecipient": {"recipientId": "id"},
    "createBlacklistEntry": {"entry": "pattern"},
    "sendTransactionalMailing": {"mailId": "mailId"},
    "declareFault": {"number": "number"},
}
"""What calls produce that other calls refer to: parameter or form field, by the response's field."""
LENGTH = 25


@given(st.data())
@settings(CONTRACT, max_examples=15)
def test_any_sequence_of_calls_responds_as_documented(server: Server, data: st.DataObject) -> None:
    """What earlier calls have produced is used by later ones, so that most calls get far."""
    server.control("POST", "/reset")
    known: dict[str, list[Any]] = {name: list(ids) for name, ids in KNOWN.items()}
    for _ in range(data.draw(st.integers(1, LENGTH))):
        operation = data.draw(st.sampled_from(OPERATIONS))
        case = data.draw(operation.as_strategy())
        assume(is_quick(case))
        for place in (case.path_parameters, case.query, case.body):
            for name in place if isinstance(place, dict) else ():
                if known.get(name) and data.draw(st.integers(0, 9)):
                    place[name] = data.draw(st.sampled_from(known[name]))
        answer = case.call_and_validate(
            base_url=server.url,
            checks=[
                schemathesis.checks.not_a_server_error,
                schemathesis.checks.status_code_conformance,
                schemathesis.checks.response_schema_conformance,
                schemathesis.checks.content_type_conformance,
            ],
            timeout=20,
        )
        if answer.status_code < 300:
            for name, field in PRODUCED.get(operation.definition.raw["operationId"], {}).items():
                known.setdefault(name, []).append(answer.json()[field])
