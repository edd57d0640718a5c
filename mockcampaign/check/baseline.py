"""Findings that are accepted beforehand: by their rule and by what was found, less what varies from run to run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.finding import Finding

FOUND_MAX = 500
"""Characters: enough to tell findings apart, and to be read."""


class Known(msgspec.Struct, frozen=True):
    """One finding that is accepted."""

    id: str
    """Of the rule."""
    found: str | None = None
    """As in `Finding.found`; None: whatever it is."""

    def matches(self, finding: Finding) -> bool:
        """Whether the finding is this one."""
        return self.id == finding.id and self.found in (None, finding.found)

    def describe(self) -> str:
        """The rule, and what was found."""
        return self.id if self.found is None else f"{self.id}: {self.found}"


class _Seen(msgspec.Struct):
    id: str
    outcome: str
    found: str | None = None


class _Report(msgspec.Struct):
    rules: list[_Seen]


def read_baseline(path: Path) -> tuple[Known, ...]:
    """What was violated in an earlier JSON report. Raises `InvalidInputError` where it is none."""
    try:
        earlier = msgspec.json.decode(path.read_bytes(), type=_Report)
    except (OSError, msgspec.MsgspecError):
        raise InvalidInputError(f"--baseline {path}: no report, allowed: a file that --report-json wrote") from None
    return tuple(Known(seen.id, seen.found) for seen in earlier.rules if seen.outcome in ("fail", "warn"))


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


def essence(actual: str) -> str:
    """What was found, less counts, ids, moments and values: the same for the same bug in every run."""
    text = _FIRST.sub("", actual)
    text = _ALTERED.sub(lambda match: f"altered: {', '.join(_CHANGE.findall(match[1]))}", text)
    text = _CHANGE.sub(r"\1 changed", text)
    text = _QUOTED.sub("…", _ASIDE.sub("", _COST.sub("", text)))
    text = _NUMBER.sub(lambda match: match[0] if _STATUS.fullmatch(match[0]) and _says_status(match) else "N", text)
    return " ".join(text.replace("N missing", "missing").replace("N too many", "too many").split())[:FOUND_MAX]


_VALUE = r'(?:"(?:[^"\\]|\\.)*"|[^\s";,]+)'
_FIRST = re.compile(r", first type=.*?(?=; | \(|$)")
"""The first of several events, whose ids and moment are others each time."""
_CHANGE = re.compile(rf"(\w+) {_VALUE} became {_VALUE}")
_ALTERED = re.compile(rf"\d+ altered, first: ((?:\w+ {_VALUE} became {_VALUE}(?:, )?)+)")
_COST = re.compile(r" costs [^;]*")
_ASIDE = re.compile(r" \(of [^)]*\)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*(?:"|…)')
_NUMBER = re.compile(r"(?<!\w)\d[\d,.]*\b")
_STATUS = re.compile(r"[1-5]\d\d")
_BEFORE_STATUS = re.compile(r"(?:^|: |; |, |\ba |answered |then |after |and )$")
_AFTER_STATUS = re.compile(r"$|,|;| to | and ")


def _says_status(match: re.Match[str]) -> bool:
    """Whether the number is the status of an answer, which tells findings apart."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    return _BEFORE_STATUS.search(before) is not None and _AFTER_STATUS.match(after) is not None
