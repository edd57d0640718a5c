"""A campaign for scripts, unittest and every test runner that has no fixtures: a context manager."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from types import TracebackType

from mockcampaign.double.arguments import check_values
from mockcampaign.double.consumer_targets import Target
from mockcampaign.double.control.home import CampaignSettings
from mockcampaign.double.in_process import CampaignFixture, InProcessHome
from mockcampaign.double.inputs import ClientContents, Credentials, Duration, clients_of, duration_of
from mockcampaign.durations import parse_moment
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_START, Policy

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here


class _Home(InProcessHome):
    how_to_allow = "pass allow=[{!r}] to mockcampaign.campaign"
    closed_message = "this campaign is closed: use it within its `with` block"


class StandaloneCampaign:
    """A campaign that begins and ends with a `with` or `async with` statement."""

    def __init__(
        self,
        target: Target | None = None,
        path: str = "",
        *,
        type: EventType | str = "open",  # noqa: A002
        auth: Credentials | None = None,
        allow: Collection[str] = (),
        seed: int = 0,
        start: str | datetime | None = None,
        policy: Policy | None = None,
        run_timeout: Duration = "60s",
        clients: ClientContents | None = None,
    ) -> None:
        """With a `target`, the campaign begins with an activated webhook of this `type` for it.

        The other arguments mean what they mean for `campaign.webhook` and the marker of the pytest plugin.
        """
        given = {"path": path, "allow": allow, "seed": seed, "start": start, "policy": policy}
        check_values("campaign", given)
        self._settings = CampaignSettings(
            seed=seed,
            start=DEFAULT_START if start is None else _moment(start),
            policy=policy or Policy(),
            run_timeout=duration_of(run_timeout, "run_timeout"),
            allow=frozenset(allow),
            clients={} if clients is None else clients_of(clients),
        )
        self._target, self._path, self._type, self._auth = target, path, type, auth
        self._campaign: CampaignFixture | None = None

    def __enter__(self) -> CampaignFixture:
        begun = self._campaign = CampaignFixture(self._settings, _Home())
        if self._target is not None:
            try:
                begun.webhook(self._type, self._target, self._path, auth=self._auth)
            except BaseException:
                begun.close()
                raise
        return begun

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the campaign. Raise AssertionError for a violation of Campaign's rules that nobody has asked about."""
        begun, self._campaign = self._campaign, None
        assert begun is not None, "entered"
        if error is not None and (forgotten := begun.forgotten_await) is not None:
            error.add_note(forgotten)
        try:
            if error is None:
                begun.check_end()
        finally:
            begun.release()

    async def __aenter__(self) -> CampaignFixture:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._campaign is not None, "entered"
        try:
            await self._campaign.leave_loop()
        finally:
            self.__exit__(kind, error, traceback)


def _moment(start: str | datetime | None) -> int:
    if start is None:
        return DEFAULT_START
    return parse_moment(start if isinstance(start, str) else start.isoformat())


campaign = StandaloneCampaign
"""The name by which the package offers it: `with mockcampaign.campaign(target) as campaign`."""
