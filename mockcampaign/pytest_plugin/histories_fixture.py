"""The `campaign_histories` fixture: random histories against a consumer, each of which is one number."""

from __future__ import annotations

from typing import Unpack

from mockcampaign.double.consumer_targets import Target
from mockcampaign.judging.verdict import RunResult
from mockcampaign.pytest_plugin.check_fixture import CampaignCheck
from mockcampaign.pytest_plugin.check_options import CheckOptions

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here

RULE = "survives-random-histories"


class CampaignHistories:
    """Plays random histories: `campaign_histories(app, "/hook", probe=lambda: app.processed, count=500)`.

    Seed and number decide each of them. The test fails with the shortest failing history.
    """

    def __init__(self, check: CampaignCheck) -> None:
        self._check = check

    def __call__(self, target: Target, path: str = "", *, count: int, **options: Unpack[CheckOptions]) -> RunResult:
        """Play so many histories and return the report. The other options are those of `campaign_check`, as errors."""
        return self._check(target, path, **_only_histories(count, options))

    async def awaited(
        self, target: Target, path: str = "", *, count: int, **options: Unpack[CheckOptions]
    ) -> RunResult:
        """Play histories from a test with an event loop, and call applications in that loop."""
        return await self._check.awaited(target, path, **_only_histories(count, options))


def _only_histories(count: int, options: CheckOptions) -> CheckOptions:
    return {**options, "histories": count, "rules": (RULE,)}
