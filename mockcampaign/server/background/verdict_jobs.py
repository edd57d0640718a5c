"""The checks and runs that callers of the control API have started: one runs at a time, and a few are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Literal

from mockcampaign import wallclock
from mockcampaign.errors import MockcampaignError
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, Verdict, verdict_of
from mockcampaign.server.background.background_work import BackgroundWork, Post

JOBS_KEPT = 5
"""Number of jobs that are kept, with their reports. Ours: the journals of a whole check are about 20 MB."""

JobKind = Literal["check", "run"]
JobStatus = Literal["running", "ended", "cancelled"]


class JobRunningError(MockcampaignError):
    """A job is running, and a server runs one at a time."""


class VerdictJob:
    """One check or run, as the server's loop sees it. Its thread changes it through that loop alone."""

    def __init__(
        self,
        number: int,
        kind: JobKind,
        target: str,
        seed: int | None,
        total: int,
        on_change: Callable[[], object] = int,
    ) -> None:
        """`target` shows no secret; `total` is the number of rules or scenarios."""
        self._on_change = on_change
        self.number = number
        self.kind: JobKind = kind
        self.target = target
        self.seed = seed
        self.began = wallclock.now()
        self.status: JobStatus = "running"
        self.done = 0
        """Number of rules or scenarios that are done."""
        self.total = total
        self.following: str | None = None
        """The rule or scenario that is next."""
        self.findings: list[Finding] = []
        """The findings so far; those of the result at the end, which may be worse."""
        self.result: RunResult | None = None
        self.trouble: str | None = None
        """Why there is no result, or not a whole one."""
        self.version = 0
        """Number of changes so far."""
        self._changed = asyncio.Event()

    @property
    def verdict(self) -> Verdict | None:
        """The verdict; None while the job runs."""
        if self.status == "running":
            return None
        if self.result is None:
            return "could-not-tell"
        verdict = verdict_of(self.result)
        return "could-not-tell" if verdict == "compliant" and self.trouble is not None else verdict

    def note(self, finding: Finding) -> None:
        """Add a finding."""
        self.findings.append(finding)
        self._notify()

    def advance(self, done: int, following: str | None) -> None:
        """Note how far the job has got."""
        self.done, self.following = done, following
        self._notify()

    def end(self, result: RunResult | None, trouble: str | None) -> None:
        """Note the result of a job that has ended, or why there is none."""
        self.result, self.trouble = result, trouble
        if result is not None:
            self.findings = [*result.rules, *(one for scenario in result.scenarios for one in scenario.expectations)]
        self._end("ended")

    def stop(self) -> None:
        """Note that the job was cancelled, unless it has ended before."""
        if self.status == "running":
            self._end("cancelled")

    async def changed_since(self, version: int) -> None:
        """Wait until something has changed since `version`."""
        if self.version == version:
            await self._changed.wait()

    async def ended(self) -> None:
        """Wait until the job has ended."""
        while self.status == "running":
            await self._changed.wait()

    def _end(self, status: JobStatus) -> None:
        self.status, self.following = status, None
        self._notify()

    def _notify(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()
        self._on_change()


Work = Callable[[VerdictJob, Post], Coroutine[Any, Any, None]]
"""Carries a job out in a thread of its own; whatever it notes of the job, it posts."""


class VerdictJobs:
    """The newest jobs of a server, by their numbers."""

    def __init__(self, on_change: Callable[[], object] = int) -> None:
        """`on_change` is called whenever a job has changed."""
        self._on_change = on_change
        self._jobs: dict[int, VerdictJob] = {}
        self._works: dict[int, BackgroundWork] = {}
        self._last_number = 0

    def __iter__(self) -> Iterator[VerdictJob]:
        return iter(self._jobs.values())

    def find(self, number: int) -> VerdictJob | None:
        """Return the job of that number, if it is kept."""
        return self._jobs.get(number)

    def check_idle(self) -> None:
        """Raise `JobRunningError` while a job runs."""
        running = next((job for job in self._jobs.values() if job.status == "running"), None)
        if running is not None:
            raise JobRunningError(
                f"{running.kind} {running.number} is running, allowed: one at a time; wait for it, or cancel it with "
                f"DELETE /__mockcampaign/checks/{running.number}"
            )

    def start(self, kind: JobKind, target: str, seed: int | None, total: int, work: Work) -> VerdictJob:
        """Start a job and return it. The oldest one is forgotten if there are too many.

        Raises `JobRunningError` as `check_idle` does.
        """
        self.check_idle()
        self._last_number += 1
        job = VerdictJob(self._last_number, kind, target, seed, total, self._on_change)

        async def carry_out(post: Post) -> None:
            try:
                await work(job, post)
            except Exception as error:
                # Without its text, which may contain a secret.
                why = f"mockcampaign itself failed: {type(error).__name__}"
                post(lambda: job.end(None, why))
            finally:
                post(job.stop)

        self._jobs[job.number] = job
        self._works[job.number] = BackgroundWork(carry_out)
        for number in list(self._jobs)[:-JOBS_KEPT]:
            del self._jobs[number], self._works[number]
        return job

    async def remove(self, job: VerdictJob) -> None:
        """Cancel a job, wait until it has ended, and forget it."""
        work = self._works.get(job.number)
        if work is not None:
            await work.cancel()
        self._jobs.pop(job.number, None)
        self._works.pop(job.number, None)
        self._on_change()

    async def aclose(self) -> None:
        """Cancel the job that runs, if any, and wait until it has ended."""
        for work in list(self._works.values()):
            await work.cancel()
