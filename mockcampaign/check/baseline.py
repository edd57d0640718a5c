"""Baselines: violations that are accepted because an earlier report contains them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.finding import Finding


class Known(msgspec.Struct, frozen=True):
    """One violation that a baseline accepts."""

    id: str
    """Id of the rule."""
    identity: str | None = None
    """Identity as in `Finding.identity`; None accepts every violation of the rule."""

    def matches(self, finding: Finding) -> bool:
        """Return whether the finding is this violation."""
        return self.id == finding.id and self.identity in (None, finding.identity)

    def describe(self) -> str:
        """Return the rule and the identity as text."""
        return self.id if self.identity is None else f"{self.id}: {self.identity}"


class _EarlierFinding(msgspec.Struct):
    id: str
    outcome: str
    identity: str | None = None


class _Report(msgspec.Struct):
    rules: list[_EarlierFinding]


def read_baseline(path: Path) -> tuple[Known, ...]:
    """Return the violations in an earlier JSON report. Raise `InvalidInputError` if the file is none."""
    try:
        earlier = msgspec.json.decode(path.read_bytes(), type=_Report)
    except (OSError, msgspec.MsgspecError):
        raise InvalidInputError(f"--baseline {path}: no report, allowed: a file that --report-json wrote") from None
    return tuple(Known(seen.id, seen.identity) for seen in earlier.rules if seen.outcome in ("fail", "warn"))


def marked(finding: Finding, known: Iterable[Known]) -> Finding:
    """Return the finding, marked as known if it is a violation that the baseline accepts."""
    is_known = finding.outcome in ("fail", "warn") and any(one.matches(finding) for one in known)
    return msgspec.structs.replace(finding, known=is_known)


def gone(known: Iterable[Known], findings: Sequence[Finding], rules: Iterable[str]) -> tuple[str, ...]:
    """Return the known violations that no longer occur although their rule was exercised, or is none of the `rules`."""
    exercised = {finding.id for finding in findings if finding.outcome in ("pass", "fail", "warn")}
    unexercised = {*rules} - exercised
    wrong = [finding for finding in findings if finding.outcome in ("fail", "warn")]
    return tuple(
        one.describe()
        for one in known
        if one.id not in unexercised and not any(one.matches(finding) for finding in wrong)
    )
