"""The operation that plays a scenario in the background, as `OPERATIONS`."""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

import msgspec

from mockcampaign.durations import format_duration
from mockcampaign.errors import InvalidInputError, MockcampaignError
from mockcampaign.judging.verdict import ScenarioResult, run_result
from mockcampaign.masking import shown_url
from mockcampaign.policy import INT64_MAX, MINUTE
from mockcampaign.server.background.background_work import Post
from mockcampaign.server.background.verdict_jobs import VerdictJob
from mockcampaign.server.http.operation import CONTROL_TAG, Call, Operation
from mockcampaign.server.http.request_fields import CustomField, Duration, SingleLine, between
from mockcampaign.server.served_campaign import ServedCampaign
from mockcampaign.server.verdicts.check_request import milliseconds
from mockcampaign.server.verdicts.job_start import STARTING, started
from mockcampaign.server.verdicts.job_views import JobSummary
from mockcampaign.server.verdicts.prepared import PreparedJob, check_target

if TYPE_CHECKING:
    from mockcampaign.scenario.plan import Plan

EVENTS_MAX = 1_000_000
"""Maximum number of events and recipients in all steps of a run. Ours: as many as fit in memory."""


class ScenarioContent(CustomField[str | dict[str, object]]):
    """A scenario: the text of a scenario file, or the same as a JSON object."""

    __slots__ = ()

    @classmethod
    def read(cls, raw: object) -> Self:
        if not isinstance(raw, str | dict):
            raise InvalidInputError(f"is neither text nor an object, allowed: {cls.allowed()}")
        return cls(raw)

    @classmethod
    def allowed(cls) -> str:
        return "the text of a scenario file, or the same as a JSON object"

    @classmethod
    def schema(cls) -> dict[str, Any]:
        return {"type": ["string", "object"], "description": f"{cls.allowed().capitalize()}."}


class Variables(CustomField[dict[str, str]]):
    """Values of `${NAME}` in a scenario. No message repeats them, as they may be secrets."""

    __slots__ = ()

    @classmethod
    def read(cls, raw: object) -> Self:
        if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
            raise InvalidInputError(f"not a text for each name, allowed: {cls.allowed()}")
        return cls(raw)

    @classmethod
    def allowed(cls) -> str:
        return "an object with a text for each name"

    @classmethod
    def schema(cls) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": "string"}}


class RunRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A scenario to play."""

    scenario: ScenarioContent
    """It can name no files. Its matrix may make several runs."""
    file: SingleLine = "scenario"
    """Name of the scenario's file, which messages begin with. Its events depend on it and the seed."""
    variables: Variables | None = None
    """Values of `${NAME}` in the scenario: the server's environment is not seen."""
    seed: Annotated[int, between(0, INT64_MAX)] | None = None
    """Generates the same events with the same seed (default: that of the scenario, or a new one)."""
    strict: bool = False
    """Whether violated "should" rules count as violations."""
    budget: Duration | None = None
    """Limit of the wall time of all runs, up to 1h (default: 2m)."""


async def _run(call: Call, request: RunRequest) -> JobSummary:
    return await started(call, "run", lambda: _prepare(call.served, request))


def _prepare(served: ServedCampaign, request: RunRequest) -> PreparedJob:
    """Return the run that a caller asks for. Raises `InvalidInputError`, which begins with the field or the place."""
    from mockcampaign.scenario.load import plans_in
    from mockcampaign.scenario.run import run_plan

    budget = milliseconds("budget", request.budget, 2 * MINUTE)
    plans = plans_in(request.scenario.value, request.file, {} if request.variables is None else request.variables.value)
    for plan in plans:
        _check_size(plan)
        for url in plan.scenario.urls():
            check_target(served.campaign.targets, "scenario", url)
    first = plans[0].scenario
    own = first.seed if request.seed is None else request.seed
    drawn = secrets.randbits(31) if own is None else own
    transport = served.another_transport()

    async def carry_out(job: VerdictJob, post: Post) -> None:
        results: list[ScenarioResult] = []

        def done(result: ScenarioResult) -> None:
            results.append(result)
            for finding in (*result.rules, *result.expectations):
                post(functools.partial(job.note, finding))

        trouble: str | None = None
        try:
            async with asyncio.timeout(budget / 1_000):
                for index, plan in enumerate(plans):
                    post(functools.partial(job.advance, index, plan.name))
                    seed = plan.scenario.seed if request.seed is None else request.seed
                    chosen = drawn if seed is None else seed
                    await run_plan(plan, transport, seed=chosen, strict=request.strict, done=done)
        except TimeoutError:
            trouble = f"the budget of {format_duration(budget)} is spent (budget)"
        except MockcampaignError as error:
            trouble = str(error)
        finally:
            await transport.aclose()
        result = run_result(results) if results else None
        post(lambda: job.advance(len(results), None))
        post(lambda: job.end(result, trouble))

    return PreparedJob(shown_url(first.consumer.url), own if own is not None else drawn, len(plans), carry_out)


def _check_size(plan: Plan) -> None:
    from mockcampaign.scenario.language.steps import MailingStep
    from mockcampaign.scenario.plan import EmitGenerated

    sizes: Sequence[int] = [
        step.action.count if isinstance(step.action, EmitGenerated) else step.action.recipients
        for step in plan.steps
        if isinstance(step.action, EmitGenerated | MailingStep)
    ]
    if sum(sizes) > EVENTS_MAX:
        raise InvalidInputError(f"scenario: {sum(sizes):,} events and recipients, allowed: up to {EVENTS_MAX:,}")


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="runScenario",
        title="Play a scenario",
        description="In the background and with a campaign of its own, as `mockcampaign run` does: the same seed and "
        "name of the file give the same findings. Afterwards it is found under `/checks/{id}`, as a check is.",
        tag=CONTROL_TAG,
        method="POST",
        path="/run",
        fields=RunRequest,
        success=202,
        success_description="The run has begun.",
        response=JobSummary,
        failures=STARTING,
        handle=_run,
    ),
)
