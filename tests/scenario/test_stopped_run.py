"""A run against a consumer that accepts nothing ends after a few attempts, and says what to try."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mockcampaign.cli import cli
from mockcampaign.engine.journal import Attempted
from mockcampaign.judging.responses.rejections import NothingAccepted
from mockcampaign.model import BasicAuthentication, EventType, NoAuthentication, Responded, TimedOut, Webhook
from mockcampaign.policy import DEFAULT_CLIENT_ID
from mockcampaign.scenario.stopped_run import Door, why_stopped
from mockcampaign.serving import serve_in_thread
from plays import own_plan

DOOR = Door(run="run()", credentials="auth=…", go_on="run(despite_rejections=True)")


def webhook(*, has_credentials: bool = False) -> Webhook:
    return Webhook(
        id=1,
        client_id=DEFAULT_CLIENT_ID,
        type=EventType.OPEN,
        target_url="http://app.test/hook?token=secret-47110815",
        created=0,
        modified=0,
        authentication=BasicAuthentication("acme", "secret") if has_credentials else NoAuthentication(),
    )


@pytest.mark.parametrize(
    ("outcome", "has_credentials", "tries"),
    [
        (Responded(404), False, "responded 404. Compare the URL with the consumer's routes"),
        (Responded(405), True, "there is no route at this path, or none for POST"),
        (Responded(401), False, "The webhook has no credentials: if the consumer demands some, give them (auth=…)."),
        (Responded(401), True, "Compare the webhook's credentials with those that the consumer demands."),
        (Responded(403), False, "CSRF protection"),
        (Responded(204), False, "Respond 200 instead of 204."),
        (
            Responded(301, (("location", "/hook/"),)),
            False,
            "(a redirect to /hook/, which Campaign does not follow)",
        ),
        (Responded(500, (), b'{"error": "no such table: opens"}'), False, 'The 500 says: {"error": "no such table'),
        (TimedOut("wait"), False, "no response began within the time-out"),
    ],
)
def test_the_reason_names_the_response_and_what_to_try(
    outcome: Responded | TimedOut, has_credentials: bool, tries: str
) -> None:
    entry = Attempted(
        at=0, webhook_id=1, serials=((1, 2),), first_number=1, count=10, interval=1, took=0, outcome=outcome
    )
    found = NothingAccepted(webhook_id=1, attempts=10, outcome=outcome, events=2)
    said = why_stopped(DOOR, found, webhook(has_credentials=has_credentials), [entry])
    assert said.startswith("run() stopped after 10 attempts, because the consumer http://app.test/hook?token=***")
    assert tries in said
    assert said.endswith(" If rejections are intended, write run(despite_rejections=True)")
    assert "\n" not in said
    assert "secret" not in said


def responding(status: int, *, from_attempt: int = 1) -> Starlette:
    asked = 0

    async def hook(request: Request) -> Response:
        nonlocal asked
        asked += 1
        return JSONResponse({"asked": asked}, status if asked >= from_attempt else 503)

    return Starlette(routes=[Route("/hook", hook, methods=["POST"])])


EMIT = "emit: {type: open, count: 2}"
RUN = "run: until-idle"


@pytest.mark.parametrize(
    ("app", "steps", "status", "said"),
    [
        (responding(404), (EMIT, RUN, "expect: {opens: {delivered: 2}}"), 3, "inconclusive: `run: until-idle` stopped"),
        (responding(401), (EMIT, RUN), 3, "The webhook has no credentials"),
        # What the consumer does wrong is its violation, as before.
        (responding(503), (EMIT, RUN, "expect: {opens: {delivered: 2}}"), 1, "  `run: until-idle` stopped after 10"),
        (responding(202), (EMIT, RUN), 1, "Respond 200 instead of 202"),
        (responding(200, from_attempt=9), (EMIT, RUN, "expect: {opens: {delivered: 2}}"), 0, "compliant"),
        # Who expects that nothing is delivered gets three days of rejections, here of one minute.
        (responding(404), (EMIT, RUN, "expect: {opens: {discarded: 2, attempts: 12}}"), 0, "compliant"),
        (responding(404), (EMIT, "run: until-idle-despite-rejections", "expect: {opens: {attempts: 12}}"), 3, "all 12"),
        # Nobody is to blame for what was never sent.
        (
            responding(200),
            (EMIT, "expect: {opens: {delivered: 2}}"),
            3,
            "inconclusive: nothing was sent",
        ),
        (responding(200), (EMIT, "expect: {opens: {delivered: 0, pending: 2}}"), 0, "compliant"),
        (
            responding(404),
            (EMIT, "advance: 1m", "expect: {opens: {delivered: 2}}"),
            3,
            "inconclusive: the consumer",
        ),
        (responding(503), (EMIT, "advance: 1m", "expect: {opens: {delivered: 2}}"), 1, "NOT COMPLIANT"),
        (responding(404), (EMIT, "advance: 2m", "expect: {opens: {attempts: 12, delivered: 0}}"), 0, "compliant"),
    ],
)
def test_a_scenario_stops_unless_it_says_that_rejections_are_intended(
    tmp_path: Path, app: Starlette, steps: tuple[str, ...], status: int, said: str
) -> None:
    with serve_in_thread(app) as url:
        plan = own_plan(tmp_path, url, *steps, probe=False)
        plan.path.write_text(f"policy: {{event_age_max: 2m}}\n{plan.path.read_text()}")
        result = CliRunner().invoke(cli, ["run", str(plan.path)], standalone_mode=False)
    assert (result.return_value, result.exception) == (status, None), result.stdout
    assert said in result.stdout
