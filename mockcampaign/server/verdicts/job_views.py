"""Checks and runs as the control API shows them: as JSON, as a stream, and as reports."""

from __future__ import annotations

import asyncio
import re

import msgspec
from starlette.responses import Response

from mockcampaign import wallclock
from mockcampaign.judging.verdict import Verdict
from mockcampaign.report.formats import ReportFormat, Writing
from mockcampaign.server.background.verdict_jobs import JobKind, JobStatus, VerdictJob
from mockcampaign.server.http.event_stream import (
    PING,
    PING_SECONDS,
    Messages,
    ServerSentEvents,
    check_streams,
    first_of,
    message,
)
from mockcampaign.server.http.request import RequestRejectedError
from mockcampaign.server.served_campaign import ServedCampaign
from mockcampaign.server.verdicts.verdict_views import FindingView, finding_view, finding_views

REPORT_POLICY = "sandbox allow-scripts"
"""Policy of a report in a browser: its own scripts run, but as those of no site, so that they reach no operation."""

_FINDING_ID = re.compile("[0-9]{1,9}")


class JobSummary(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A check or a run, without its findings."""

    id: int
    kind: JobKind
    status: JobStatus
    target: str
    seed: int | None
    began: int
    """Milliseconds since 1970."""
    done: int
    """Number of rules, or of scenarios, that are done."""
    total: int
    following: str | None
    """The rule or scenario that is next."""
    verdict: Verdict | None
    """Null until the end."""
    has_result: bool
    """Whether there are reports."""
    headline: str | None
    """The result of a check in one sentence."""
    trouble: str | None
    """Why the result is inconclusive although nothing is violated."""


class JobView(JobSummary, frozen=True, rename="camel", kw_only=True):
    """A check or a run with its findings so far; at its end, the worst finding of each rule."""

    findings: list[FindingView]


def job_summary(job: VerdictJob) -> JobSummary:
    """Return a check or a run without its findings."""
    result = job.result
    return JobSummary(
        id=job.number,
        kind=job.kind,
        status=job.status,
        target=job.target,
        seed=job.seed,
        began=job.began,
        done=job.done,
        total=job.total,
        following=job.following,
        verdict=job.verdict,
        has_result=result is not None,
        headline=None if result is None else result.headline,
        trouble=job.trouble if result is None or job.trouble is not None else result.trouble,
    )


def job_view(job: VerdictJob) -> JobView:
    """Return a check or a run with its findings."""
    return JobView(**msgspec.structs.asdict(job_summary(job)), findings=finding_views(job.findings))


def job_stream(served: ServedCampaign, job: VerdictJob, last_event_id: str) -> Response:
    """Return the stream of a job, which ends with it. A client that reconnects says which finding it got last.

    Raises `RequestRejectedError` with 503 if too many streams are open.
    """
    check_streams(served)
    first = int(last_event_id) + 1 if _FINDING_ID.fullmatch(last_event_id) else 0
    return ServerSentEvents(served, _follow(served, job, first))


async def _follow(served: ServedCampaign, job: VerdictJob, position: int) -> Messages:
    yield PING
    version = -1
    while not served.closing.is_set():
        if job.version == version:
            await first_of(job.changed_since(version), served.closing.wait(), seconds=PING_SECONDS)
            if job.version == version:
                yield PING
                continue
        version, is_running = job.version, job.status == "running"
        findings = job.findings[position:]
        messages = [
            b"id: %d\r\n" % at + message(b"finding", msgspec.json.encode(finding_view(finding)))
            for at, finding in enumerate(findings, position)
        ]
        position += len(findings)
        messages.append(message(b"progress" if is_running else b"end", msgspec.json.encode(job_summary(job))))
        yield b"".join(messages)
        if not is_running:
            return


async def job_report(job: VerdictJob, form: ReportFormat, media_type: str) -> Response:
    """Return a report of a job that has ended. Raises `RequestRejectedError` with 409 if there is none."""
    result = job.result
    if result is None:
        why = "is running" if job.status == "running" else "has no result"
        raise RequestRejectedError(409, f"{job.kind} {job.number} {why}, allowed: reports of one with a result")
    content = await asyncio.to_thread(form.encode, result, Writing(wallclock.now()))
    return Response(content, media_type=media_type, headers={"Content-Security-Policy": REPORT_POLICY})
