"""Methods that judge the consumer by Campaign's rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.pytest_plugin.control.session import SessionMethods, in_home
from mockcampaign.pytest_plugin.control.violations import Violation, nothing_delivered, text_of, violations
from mockcampaign.report import sentences

if TYPE_CHECKING:
    from mockcampaign.judging.finding import Finding

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here


class VerdictMethods(SessionMethods):
    """Judge the consumer."""

    @in_home
    def assert_compliant(
        self,
        *,
        strict: bool = False,
        allow: Collection[str] = (),
        processed: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        """Raise AssertionError if the consumer has violated a rule, or if no request has reached it.

        With `strict`, a violated "should" rule fails too. `allow` names rules that the consumer may violate.
        `processed` are the events that the consumer has stored: each delivered event must be among them, once and
        unaltered.
        """
        session = self._session
        session.check_awaited()
        session.mark_judged()
        session.allowed |= set(allow)
        found = violations(
            session.engine.journal.entries,
            allow=session.allowed,
            strict=strict,
            processed=None if processed is None else [dict(event) for event in processed],
        )
        if found:
            raise AssertionError(text_of(found))

    @in_home
    def violations(self) -> list[Violation]:
        """Return the violations that the test has not asked about."""
        session = self._session
        if session.is_judged:
            return []
        return violations(session.engine.journal.entries, allow=session.allowed, needs_delivery=False)

    @in_home
    def findings(self, *, passed: bool) -> list[Finding]:
        """Return the finding of each rule. Known are violations that the test allows, or has passed and asked about."""
        session = self._session
        asked = passed and session.is_judged
        return [
            msgspec.structs.replace(
                finding,
                known=(finding.outcome in ("fail", "warn") and finding.id in session.allowed)
                or (finding.outcome == "fail" and asked),
            )
            for finding in (rule.judge(session.engine.journal.entries, sentences.actual) for rule in JOURNAL_RULES)
        ]

    @in_home
    def nothing_delivered(self) -> str | None:
        """Return why a test that never looked at its deliveries has shown nothing, or None if it has."""
        session = self._session
        if session.has_seen_outcome or session.engine.journal.dropped:
            return None
        return nothing_delivered(session.engine.journal.entries, session.allowed)
