"""Methods that judge the consumer by Campaign's rules."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import msgspec

from mockcampaign import json_text
from mockcampaign.check.probes.question import Question
from mockcampaign.check.probes.sql_probe import SqlProbe
from mockcampaign.double.control.session import SessionMethods, in_home
from mockcampaign.double.control.violations import (
    NOTHING_DELIVERED,
    NOTHING_SHOWN,
    field_names,
    findings,
    nothing_delivered,
    stored_difference,
    text_of,
)
from mockcampaign.double.inputs import check_spelling, field_names_of, rows_of
from mockcampaign.errors import MisuseError
from mockcampaign.judging.verdict import is_violation
from mockcampaign.model import EventType

if TYPE_CHECKING:
    from mockcampaign.check.probes.sql_probe import Engine
    from mockcampaign.double.inputs import Rows
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
        processed: Rows | int | None = None,
        fields: Collection[str] | None = None,
        identified_by: Collection[str] | None = None,
    ) -> None:
        """Raise AssertionError if the consumer has violated a rule, or if no request has reached it.

        With `strict`, a violated "should" rule fails too. `allow` names rules that the consumer may violate.
        `processed` are the events that the consumer has stored: each delivered event must be among them, once and
        unaltered. It may be their number as well. `fields` names the fields that the rows have, if these are not all;
        others are not compared. `identified_by` names those that identify an event, if a row has no id of a mail;
        without `fields`, only these are compared. Names of fields in objects have dots between them.

        Raises `MisuseError` for anything else, and for fields that no event has.
        """
        session = self._session
        session.check_awaited()
        session.mark_judged()
        session.allowed |= set(allow)
        judged = self._findings()
        found = [finding for finding in judged if is_violation(finding, strict=strict)]
        if all(finding.outcome == "not-exercised" for finding in judged):
            found.append(NOTHING_SHOWN)
        if processed is not None:
            ledger, shapes = session.view.ledger, tuple(session.engine.shapes.values())
            stored, known = rows_of(processed), field_names(ledger, shapes)
            compared, identifying = (
                field_names_of(fields, "fields", known),
                field_names_of(identified_by, "identified_by", known),
            )
            if not isinstance(stored, int):
                check_spelling(stored, (*(compared or ()), *(identifying or ())) or known)
            found += stored_difference(ledger, stored, shapes, fields=compared, identified_by=identifying)
        elif fields is not None or identified_by is not None:
            raise MisuseError("fields and identified_by have no effect alone, allowed: with processed=")
        if found:
            raise AssertionError(text_of(found))

    @in_home
    def probe_sql(self, engine: Engine | str, query: str) -> list[dict[str, Any]]:
        """Return the events in the consumer's database as `assert_compliant(processed=…)` compares them.

        `engine` is a synchronous one of SQLAlchemy, or the URL of a database; the query runs in this thread, and
        changes nothing. Columns belong to the fields of events by their names, in any spelling, or by their roles.
        `:clientId`, `:mailingId`, `:mailIds` and `:since` in the query select the events of this test; those of others
        are not compared. Before the consumer has acknowledged events, its database need not exist.

        Raises `InvalidInputError` for a query that does not read, and `CouldNotTellError` if it fails or takes longer
        than an attempt may.
        """
        session = self._session
        session.check_awaited()
        campaign = session.engine
        shapes = tuple(map(campaign.shape, EventType))
        question = Question(shapes[0], campaign.now)
        for entry in session.view.ledger.happened:
            question.add(map(json_text.decode, entry.events), campaign.shape(entry.type))
        with contextlib.closing(SqlProbe(engine, query, shapes, timeout=campaign.policy.timeout)) as probe:
            return probe.ask_here(question, acknowledged=session.view.ledger.deliveries.delivered > 0)

    @in_home
    def violations(self) -> list[Finding]:
        """Return the violations that the test has not asked about."""
        if self._session.is_judged:
            return []
        return [finding for finding in self._findings() if is_violation(finding)]

    @in_home
    def findings(self, *, passed: bool) -> list[Finding]:
        """Return the finding of each rule. Known are violations that the test allows, or has passed and asked about."""
        asked = passed and self._session.is_judged
        return [
            msgspec.structs.replace(finding, known=finding.known or (finding.outcome == "fail" and asked))
            for finding in self._findings()
        ]

    @in_home
    def nothing_delivered(self) -> str | None:
        """Return why a test that never looked at its deliveries has shown nothing, or None if it has."""
        session = self._session
        if session.has_seen_outcome or session.engine.journal.dropped or NOTHING_DELIVERED in session.allowed:
            return None
        return nothing_delivered(session.view.ledger, self._findings(), session.home.how_to_allow)

    def _findings(self) -> list[Finding]:
        session = self._session
        return findings(session.engine.journal.entries, session.allowed, session.settings.known)
