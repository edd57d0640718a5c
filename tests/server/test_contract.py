"""The server against its own OpenAPI document, with requests that schemathesis makes up."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from requests.auth import HTTPBasicAuth

from lives import Life, links_of
from mockcampaign.campaign import Campaign
from mockcampaign.clients.smart_campaign import CampaignKind
from mockcampaign.server.app import APIS
from mockcampaign.server.control_api.api import PREFIX
from mockcampaign.server.http.openapi import document
from mockcampaign.transport.always_ok import AlwaysOkTransport
from servers import CLIENT, PASSWORD, USER, Server, running_server

schemathesis = pytest.importorskip("schemathesis")
builder = pytest.importorskip("schemathesis.generation.hypothesis.builder")

NOWHERE = "http://127.0.0.1:9/hook"
"""Nobody listens at the discard port."""

DOCUMENT = json.loads(document(APIS, CLIENT).replace(b"http://127.0.0.1:8000/hook", NOWHERE.encode()))
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


REBOUND_CHECKS = [
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.response_schema_conformance,
]

OPERATIONS = {found.ok().definition.raw["operationId"]: found.ok() for found in SCHEMA.get_all_operations()}


@pytest.mark.parametrize("modes", [["fuzzing"], pytest.param(["examples", "coverage"], marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_responds_as_documented(name: str, modes: list[str], server: Server) -> None:
    rejected: set[str] = set()

    @CONTRACT
    def responds_as_documented(case: Any) -> None:
        assume(is_quick(case))
        known = {parameter["name"] for parameter in case.operation.definition.raw["parameters"]}
        if not rejected:  # once is enough, and making up requests takes longer than to send them
            check_rejected_for_another_host(case, server)
            rejected.add(name)
        assume(set(case.query or ()) <= known)  # the server ignores others on purpose
        response = case.call(base_url=server.url, timeout=20)
        # Too large a body is rejected before it is read, which schemathesis does not take for a rejection.
        known_rejections = {"negative_data_rejection"} if response.status_code == 413 else set()
        case.validate_response(response, checks=[one for one in CHECKS if one.__name__ not in known_rejections])

    # `SCHEMA.parametrize` makes up the requests of all operations wherever tests are collected, for ten seconds.
    chosen = builder.HypothesisTestConfig(
        project=SCHEMA.config, modes=[builder.HypothesisTestMode(one) for one in modes], settings=CONTRACT
    )
    builder.create_test(operation=OPERATIONS[name], test_func=responds_as_documented, config=chosen)()


def check_rejected_for_another_host(case: Any, server: Server) -> None:
    headers, case.headers = case.headers, {"Host": "rebound.example"}
    answer = case.call(base_url=server.url, timeout=20)
    case.headers = headers
    assert answer.status_code == 403, "a request for another host is not rejected"
    case.validate_response(answer, checks=REBOUND_CHECKS)


ALWAYS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.response_schema_conformance,
    schemathesis.checks.content_type_conformance,
]


def judged(case: Any, server: Server) -> Any:
    """Return the response of a call, which is as documented. What was deleted is no longer there."""
    answer = case.call_and_validate(base_url=server.url, auth=(USER, PASSWORD), checks=ALWAYS, timeout=20)
    path = case.operation.path
    reading = DOCUMENT["paths"][path].get("get", {"responses": ()})
    is_deleted = case.operation.method == "delete" and answer.status_code == 204 and path.endswith("}")
    if is_deleted and "404" in reading["responses"]:
        gone = OPERATIONS[reading["operationId"]].Case(path_parameters=case.path_parameters)
        status = gone.call(base_url=server.url, auth=(USER, PASSWORD), timeout=20).status_code
        assert status == 404, f"{reading['operationId']} responds {status} after the deletion"
    return answer


@pytest.mark.slow
@given(st.data())
@settings(CONTRACT, max_examples=15)
def test_any_sequence_of_calls_responds_as_documented(server: Server, data: st.DataObject) -> None:
    """What earlier calls have produced is used by later ones, so that most calls get far."""
    server.control("POST", "/reset")
    life = Life(lambda case: judged(case, server), data.draw(st.randoms(use_true_random=False)))
    for _ in range(data.draw(st.integers(1, 25))):
        case = data.draw(data.draw(st.sampled_from(list(OPERATIONS.values()))).as_strategy())
        assume(is_quick(case))
        life.step(case, alone=not data.draw(st.integers(0, 9)))


VENDOR = {name: found for name, found in OPERATIONS.items() if found.path.startswith("/rest/")}
LINKS = {(name, link["operationId"]) for name, found in VENDOR.items() for _, link in links_of(found.definition.raw)}
SENSIBLE = {
    "targetUrl": [NOWHERE],
    "recipientId": [f"silent+{number}@example.com" for number in range(3)],
    "entry": ["*@spam.example.com", "spam@example.com"],
}
"""Values of form fields that calls succeed with, and that do not keep others from succeeding."""
LIFE_LENGTH, LIVES_MAX = 6, 25


def some_cases(operation: Any) -> list[Any]:
    """Return a few valid requests of an operation, the simplest first."""
    found: list[Any] = []

    @given(operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE))
    @settings(CONTRACT, max_examples=3, phases=[Phase.generate], database=None)
    def take(case: Any) -> None:
        found.append(case)

    take()
    return found


@pytest.mark.slow  # 1,000 to 2,000 calls
def test_the_links_lead_to_every_operation(server: Server) -> None:
    """Nothing of the vendor's API is out of reach: each operation succeeds, and each link leads to what exists."""
    cases = {name: some_cases(operation) for name, operation in VENDOR.items()}
    chance = random.Random(7)
    life = Life(lambda case: judged(case, server), chance)
    for _ in range(LIVES_MAX):
        server.control("POST", "/reset")
        life.begin()
        for _ in range(LIFE_LENGTH):
            wanted = [target for _, target in sorted(LINKS - life.followed)]
            for name in chance.sample([*VENDOR, *wanted], len(VENDOR) + len(wanted)):
                simplest, *others = cases[name]
                chosen = chance.choice([simplest, *others, *[simplest] * len(others)])
                body = chosen.body
                if isinstance(body, dict):
                    body = body | {field: chance.choice(SENSIBLE[field]) for field in SENSIBLE if field in body}
                life.step(
                    VENDOR[name].Case(
                        path_parameters=chosen.path_parameters,
                        query=chosen.query,
                        body=body,
                        media_type=chosen.media_type,
                    )
                )
        if life.reached == set(VENDOR) and life.followed == LINKS:
            break
    assert life.reached == set(VENDOR)
    assert life.followed == LINKS
