"""Starts checks and runs in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mockcampaign.extras import MissingExtraError
from mockcampaign.server.background.verdict_jobs import JobKind, JobRunningError
from mockcampaign.server.http.operation import INTERRUPTIONS, Call
from mockcampaign.server.http.request import RequestRejectedError
from mockcampaign.server.verdicts.job_views import JobSummary, job_summary
from mockcampaign.server.verdicts.prepared import PreparedJob

STARTING = {
    409: "A check or run is running, and a server runs one at a time; or the campaign was reset before this one began.",
    501: "A package of an extra is not installed.",
    503: INTERRUPTIONS[503],
}
"""Failures of operations that start a job."""


async def started(call: Call, kind: JobKind, prepare: Callable[[], PreparedJob]) -> JobSummary:
    """Start a job and return it. Raises `RequestRejectedError` with 409 while another one runs, or with 501."""
    jobs = call.served.jobs
    try:
        jobs.check_idle()
        prepared = await asyncio.to_thread(prepare)
        return job_summary(jobs.start(kind, prepared.target, prepared.seed, prepared.total, prepared.work))
    except JobRunningError as error:
        raise RequestRejectedError(409, str(error)) from None
    except MissingExtraError as error:
        raise RequestRejectedError(501, str(error)) from None
