"""Findings that are accepted beforehand: by their rule and by what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.finding import Finding


class Known(msgspec.Struct, frozen=True):
    """One finding that is accepted."""

    id: str
    """Of the rule."""
    identity: str | None = None
    """As in `Finding.identity`; None accepts every violation of the rule."""

    def matches(self, finding: Finding) -> bool:
        """Whether the finding is this one."""
        return self.id == finding.id and self.identity in (None, finding.identity)

    def describe(self) -> str:
        """The rule, and what was found."""
        return self.id if self.identity is None else f"{self.id}: {self.identity}"


class _EarlierFinding(msgspec.Struct):
    id: str
    outcome: str
    identity: str | None = None


class _Report(msgspec.Struct):
    rules: list[_EarlierFinding]


def read_baseline(path: Path) -> tuple[Known, ...]:
    """What was violated in an earlier JSON report. Raises `InvalidInputError` where it is none."""
    try:
        earlier = msgspec.json.decode(path.read_bytes(), type=_Report)
    except (OSError, msgspec.MsgspecError):
        raise InvalidInputError(f"--baseline {path}: no report, allowed: a file that --report-json wrote") from None
    return tuple(Known(seen.id, seen.identity) for seen in earlier.rules if seen.outcome in ("fail", "warn"))


def gone(known: Iterable[Known], findings: Sequence[Finding], rules: Iterable[str]) -> tuple[str, ...]:
    """Those that do not occur any more though their rules were exercised, or that are of none of the `rules`."""
    exercised = {finding.id for finding in findings if finding.outcome in ("pass", "fail", "warn")}
    unexercised = {*rules} - exercised
    wrong = [finding for finding in findings if finding.outcome in ("fail", "warn")]
    return tuple(
        one.describe()
        for one in known
        if one.id not in unexercised and not any(one.matches(finding) for finding in wrong)
    )
