"""Expectations of calls of the REST API: how they are read, judged and shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockcampaign.engine.journal import Called
from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.ledger import Ledger
from mockcampaign.scenario.expectations.claims import judge_api
from mockcampaign.scenario.expectations.expected_text import describe_claim
from mockcampaign.scenario.language.expect import ApiExpectation
from mockcampaign.scenario.language.plain_values import Bounds
from mockcampaign.scenario.load import load
from mockcampaign.scenario.plan import ApiExpected, Plan

OPERATIONS = ("createWebhook", "activateWebhook")


def call(operation: str = "createWebhook", status: int | None = 201, client: int = 1) -> Called:
    return Called(at=0, client_id=client, method="POST", operation=operation, path="/webhooks", status=status)


def judged(claim: ApiExpectation, *calls: Called) -> tuple[str, str, tuple[int, ...]]:
    return judge_api(claim, Ledger.of(calls))


def plan(folder: Path, *steps: str, operations: tuple[str, ...] = OPERATIONS) -> Plan:
    lines = "".join(f"  - {step}\n" for step in steps)
    path = folder / "x.scenario.yaml"
    path.write_text(f"name: x\nconsumer: {{url: http://x.test}}\nwebhooks: {{}}\nsteps:\n{lines}")
    return load(path, must_emit=False, operations=operations)


def test_calls_are_counted_by_operation_status_and_client() -> None:
    calls = (call(), call(), call(status=500), call(status=None), call("activateWebhook", 200), call(client=2))
    for claim, count in (
        (ApiExpectation(), 6),
        (ApiExpectation(operation="createWebhook"), 5),
        (ApiExpectation(operation="createWebhook", status=201), 3),
        (ApiExpectation(operation="createWebhook", status=201, client=2), 1),
        (ApiExpectation(status="no-response"), 1),
        (ApiExpectation(operation="activateWebhook", status=500), 0),
    ):
        for wanted, outcome in ((count, "pass"), (count + 1, "fail")):
            exactly = ApiExpectation(operation=claim.operation, status=claim.status, client=claim.client, count=wanted)
            assert judged(exactly, *calls)[0] == outcome, claim


def test_a_judgement_shows_the_calls_that_count_or_the_others_of_the_operation() -> None:
    claim = ApiExpectation(operation="createWebhook", status=201, count=1)
    assert judged(claim) == ("fail", "none; no call", ())
    assert judged(claim, call("activateWebhook", 200)) == ("fail", "none; no call", ())
    assert judged(claim, call(status=500), call(status=None)) == (
        "fail",
        "none; createWebhook: 500, createWebhook: no response",
        (0, 1),
    )
    assert judged(claim, call(), call(), call(status=500)) == ("fail", "2: createWebhook: 201 (2 times)", (0, 1))
    assert judged(ApiExpectation(), call()) == ("pass", "1: createWebhook: 201", (0,))


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        (ApiExpectation(count=1), "1 call"),
        (ApiExpectation(), "at least 1 call"),
        (ApiExpectation(count=Bounds(at_most=2), status=201), "at most 2 calls, status 201"),
        (ApiExpectation(count=0, status="no-response", client=7), "0 calls, no response, client 7"),
    ],
)
def test_expectations_in_words(claim: ApiExpectation, text: str) -> None:
    assert describe_claim(claim) == text


def test_expectations_have_names_and_places(tmp_path: Path) -> None:
    step = "expect: {api: [{operation: createWebhook, status: 201}, {status: no-response, count: 0}]}"
    found = plan(tmp_path, step).expectations
    assert [(one.name, one.place) for one in found] == [
        ("api.createWebhook", f"{tmp_path}/x.scenario.yaml:5:20"),
        ("api", f"{tmp_path}/x.scenario.yaml:5:61"),
    ]
    [one] = plan(tmp_path, "wait: {until: {api: {operation: createWebhook}}, for: 1m}").expectations
    assert isinstance(one, ApiExpected)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (
            "expect: {api: {operation: createHook}}",
            "5:31: unknown operation 'createHook', did you mean 'createWebhook'? "
            "(allowed: createWebhook, activateWebhook)",
        ),
        ("expect: {api: {status: 600}}", "5:28: unknown status of a call '600' "),
        ("expect: {api: {status: 20}}", "5:28: unknown status of a call '20' "),
        ("expect: {api: []}", "5:13: expects nothing"),
        (
            "create: {api: {type: open, url: 'http://x.test'}}",
            "5:14: a webhook cannot be called 'api'",
        ),
    ],
)
def test_mistakes_are_found_before_anything_is_sent(tmp_path: Path, step: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        plan(tmp_path, step)
    assert str(refused.value).startswith(f"{tmp_path}/x.scenario.yaml:{message}")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("kind: api-error, operation: createHook", "5:41: unknown operation 'createHook', did you mean"),
        ("kind: api-error, webhook: x", "5:39: unknown webhook 'x'"),
    ],
)
def test_faults_of_calls_are_checked_before_the_run(tmp_path: Path, fault: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        plan(tmp_path, f"fault: {{{fault}}}")
    assert str(refused.value).startswith(f"{tmp_path}/x.scenario.yaml:{message}")


def test_faults_of_calls_need_a_server(tmp_path: Path) -> None:
    assert plan(tmp_path, "fault: {kind: api-error, operation: createWebhook, every: 2}").steps
    with pytest.raises(InvalidInputError, match=r"x\.scenario\.yaml:5:12: nobody calls the REST API here: only"):
        plan(tmp_path, "fault: {kind: api-error}", operations=())


def test_expectations_of_calls_need_a_server(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError) as refused:
        plan(tmp_path, "expect: {api: {count: 0}}", operations=())
    assert str(refused.value) == (
        f"{tmp_path}/x.scenario.yaml:5:14: nobody calls the REST API here: only `mockcampaign serve --scenario` and "
        "`mockcampaign drill provisioning --scenario` receive calls"
    )
