"""Operations that check a consumer in the background, as `OPERATIONS`."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

import msgspec
from starlette.responses import Response

from mockcampaign.report.formats import FORMATS, ReportFormat
from mockcampaign.server.background.verdict_jobs import VerdictJob
from mockcampaign.server.http.operation import CONTROL_TAG, INTERRUPTIONS, Call, Operation
from mockcampaign.server.http.request import RequestRejectedError, header
from mockcampaign.server.http.request_fields import Duration, Id, NoFields, about
from mockcampaign.server.verdicts.check_request import CheckRequest, milliseconds
from mockcampaign.server.verdicts.check_work import prepare_check
from mockcampaign.server.verdicts.job_start import STARTING, started
from mockcampaign.server.verdicts.job_views import (
    JobSummary,
    JobView,
    job_report,
    job_stream,
    job_summary,
    job_view,
)

REPORTS: Mapping[str, tuple[str, str]] = {
    "JSON": ("report.json", "application/json"),
    "HTML": ("report.html", "text/html"),
    "JUnit": ("junit.xml", "application/xml"),
}
"""Last segment of the path, and media type, of each format of reports that is served."""


class CheckPath(msgspec.Struct, frozen=True):
    """The path to one check or run."""

    id: Annotated[Id, about("Number of the check or run.")]


class CheckQuery(msgspec.Struct, frozen=True):
    """One check or run, and how long to wait for its end."""

    id: Annotated[Id, about("Number of the check or run.")]
    wait: Annotated[Duration, about("Wait so long for its end (default: not at all).")] | None = None


def job_of(call: Call, number: int) -> VerdictJob:
    """Return a check or run. Raises `RequestRejectedError` with 404 if it is not kept."""
    job = call.served.jobs.find(number)
    if job is None:
        kept = ", ".join(str(one.number) for one in call.served.jobs) or "none"
        raise RequestRejectedError(404, f"there is no check {number}, or no longer; kept: {kept}")
    return job


async def _start(call: Call, request: CheckRequest) -> JobSummary:
    return await started(call, "check", lambda: prepare_check(call.served, request))


def _list(call: Call, fields: NoFields) -> list[JobSummary]:
    return [job_summary(job) for job in call.served.jobs]


async def _get(call: Call, query: CheckQuery) -> JobView:
    job = job_of(call, query.id)
    try:
        async with asyncio.timeout(milliseconds("wait", query.wait, 0) / 1_000):
            await job.ended()
    except TimeoutError:
        pass  # its progress is a response, too
    return job_view(job)


def _follow(call: Call, path: CheckPath) -> Response:
    return job_stream(call.served, job_of(call, path.id), header(call.headers, b"last-event-id"))


async def _remove(call: Call, path: CheckPath) -> None:
    await call.served.jobs.remove(job_of(call, path.id))


async def _report(form: ReportFormat, media_type: str, call: Call, path: CheckPath) -> Response:
    return await job_report(job_of(call, path.id), form, media_type)


def _handler(form: ReportFormat, media_type: str) -> Callable[[Call, CheckPath], Awaitable[Response]]:
    return functools.partial(_report, form, media_type)


_NOT_FOUND = {404: "There is no such check, or no longer: the server keeps the newest ones."}

OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="startCheck",
        title="Check a consumer",
        description="Examines the consumer in the background, by all rules or some, as `mockcampaign check` does: the "
        "same seed gives the same findings. The server's campaign and clock stay as they are. Targets are allowed as "
        "for deliveries.",
        tag=CONTROL_TAG,
        method="POST",
        path="/check",
        fields=CheckRequest,
        success=202,
        success_description="The check has begun.",
        response=JobSummary,
        failures=STARTING,
        handle=_start,
    ),
    Operation(
        id="listChecks",
        title="Get the newest checks and runs",
        tag=CONTROL_TAG,
        method="GET",
        path="/checks",
        fields=NoFields,
        success_description="Checks and runs without their findings, the oldest first.",
        response=list[JobSummary],
        handle=_list,
    ),
    Operation(
        id="getCheck",
        title="Get a check or run with its findings",
        description="With `wait`, responds when it has ended, or when that time is over.",
        tag=CONTROL_TAG,
        method="GET",
        path="/checks/{id}",
        fields=CheckQuery,
        success_description="Progress, findings so far, and at the end the verdict.",
        response=JobView,
        failures={**_NOT_FOUND, **INTERRUPTIONS},
        handle=_get,
    ),
    Operation(
        id="followCheck",
        title="Follow a check or run",
        description="Server-sent events. `finding`: the result of a rule, with its position as `id`; `progress`: how "
        "far it has got; `end`: the verdict. A client that reconnects with `Last-Event-ID` gets the findings after it.",
        tag=CONTROL_TAG,
        method="GET",
        path="/checks/{id}/stream",
        fields=CheckPath,
        success_description="The stream ends with the check.",
        media_type="text/event-stream",
        failures={**_NOT_FOUND, 503: "The limit of open streams is reached."},
        handle=_follow,
    ),
    *(
        Operation(
            id=f"get{form.name}Report",
            title=f"Get the {form.name} report of a check or run",
            tag=CONTROL_TAG,
            method="GET",
            path=f"/checks/{{id}}/{REPORTS[form.name][0]}",
            fields=CheckPath,
            success_description="The report.",
            media_type=REPORTS[form.name][1],
            failures={**_NOT_FOUND, 409: "It is running, or has no result.", 503: INTERRUPTIONS[503]},
            handle=_handler(form, REPORTS[form.name][1]),
        )
        for form in FORMATS
        if form.name in REPORTS
    ),
    Operation(
        id="removeCheck",
        title="Cancel and forget a check or run",
        tag=CONTROL_TAG,
        method="DELETE",
        path="/checks/{id}",
        fields=CheckPath,
        success=204,
        success_description="It has ended, and nothing of it is kept.",
        failures={**_NOT_FOUND, **INTERRUPTIONS},
        handle=_remove,
    ),
)
