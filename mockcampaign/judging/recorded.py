"""Reads journals from files, and rejects one that no run can have written before anything acts on it.

What judges or replays a journal needs no check of its own: moments are of the calendar, webhooks were created, their
status allows each command, and events occurred.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import assert_never, get_args

import msgspec

from mockcampaign.durations import DURATION_MAX, MOMENT_MAX, format_duration
from mockcampaign.engine.journal import (
    CLIENT_COMMANDS,
    CLIENT_NOUNS,
    MAIL_RESULTS,
    Attempted,
    Began,
    Called,
    Captured,
    ClientChanged,
    Discarded,
    Entry,
    FaultDeclared,
    FaultEnded,
    Happened,
    MailSent,
    OutageDeclared,
    OutageEnded,
    Probed,
    Requested,
    Resumed,
    SerialRanges,
    StepReached,
    Verified,
    WebhookChanged,
)
from mockcampaign.engine.journal_file import RecordedJournal, read_journals
from mockcampaign.engine.webhooks import Command, statuses_allowing
from mockcampaign.errors import InvalidInputError
from mockcampaign.faults import FAULTS, OUTAGES
from mockcampaign.model import PHASES, Outcome, Responded, WebhookStatus
from mockcampaign.policy import DAY, INT64_MAX, Policy
from mockcampaign.text import short, unknown
from mockcampaign.whole_files import read_whole

VIRTUAL_TIME_MAX = 36_600 * DAY
"""Most virtual time of a run. More is a typing error, and would leave the calendar."""

ATTEMPTS_MAX = 10_000_000
"""Most attempts of one entry. In three days, Campaign makes 25,920."""

BYTES_MAX = 1 << 40
"""Most bytes of anything that an entry counts in bytes."""

_COMMANDS = (*get_args(Command), "retry")


def load_journals(path: Path) -> list[RecordedJournal]:
    """Return the journals of a file.

    Raises `InvalidInputError` with file, line and field if it is unreadable, or contains what no run can have written.
    """
    journals = read_journals(read_whole(path), str(path))
    for journal in journals:
        _Checked(journal, str(path)).check()
    return journals


class _Checked:
    """One journal, entry by entry, with what its entries may refer to."""

    def __init__(self, journal: RecordedJournal, where: str) -> None:
        self._journal = journal
        self._where = where
        self._line = 0
        self._began = 0
        self._webhooks: dict[int, tuple[int, WebhookStatus]] = {}
        """Client and status of each webhook."""
        self._has_begun = False
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        """First and last serials of the events of each entry, ascending."""
        self._gaps: list[int] = []
        """Number of gaps between the serials of successive entries, up to each entry."""
        self._faults: set[int] = set()
        self._mails: set[str] = set()
        self._step = -1

    def check(self) -> None:
        """Raise `InvalidInputError` for the first entry that no run can have written."""
        for entry, line in zip(self._journal.entries, self._journal.lines, strict=True):
            self._line = line
            if not isinstance(entry, Began):
                self._moment("at", entry.at)
            self._check(entry)

    def _check(self, entry: Entry) -> None:
        match entry:
            case Began():
                self._begin(entry)
            case Resumed():
                self._limits(entry.policy)
            case WebhookChanged():
                self._change(entry)
            case Happened():
                self._happen(entry)
            case Attempted():
                self._attempt(entry)
            case Discarded():
                self._known([entry.webhook_id])
                self._serials("serials", entry.serials)
            case OutageDeclared():
                self._known(entry.webhook_ids)
                self._word("kind", entry.kind, OUTAGES)
                self._moment("until", entry.until)
            case OutageEnded():
                self._known(entry.webhook_ids)
            case FaultDeclared():
                self._known(entry.webhook_ids)
                self._number("number", entry.number, 1, INT64_MAX)
                if entry.number in self._faults:
                    raise self._problem(
                        "number", f"{entry.number} is the number of an earlier fault, allowed: a new one"
                    )
                self._faults.add(entry.number)
            case FaultEnded():
                if entry.number not in self._faults:
                    raise self._problem("number", f"no fault {short(str(entry.number))} was declared before this line")
            case MailSent():
                self._number("client_id", entry.client_id, -INT64_MAX, INT64_MAX)
                self._word("result", entry.result, MAIL_RESULTS)
                if entry.mail_id in self._mails:
                    raise self._problem("mail_id", "the mail was sent already, allowed: a new one")
                self._mails.add(entry.mail_id)
            case ClientChanged():
                self._number("client_id", entry.client_id, -INT64_MAX, INT64_MAX)
                self._word("what", entry.what, CLIENT_NOUNS)
                self._word("command", entry.command, CLIENT_COMMANDS)
                self._number("count", entry.count, 0, ATTEMPTS_MAX)
            case Verified():
                self._known([entry.webhook_id])
                self._outcome(entry.outcome)
            case Requested():
                self._number("body_bytes", entry.body_bytes, 0, BYTES_MAX)
                self._outcome(entry.outcome)
            case Called():
                self._call(entry)
            case Captured():
                self._number("took", entry.took, 0, MOMENT_MAX)
                self._outcome(entry.outcome)
            case Probed():
                self._number("count", entry.count, 0, INT64_MAX)
            case StepReached():
                self._number("index", entry.index, self._step + 1, ATTEMPTS_MAX)
                self._step = entry.index
            case _:
                assert_never(entry)

    def _begin(self, entry: Began) -> None:
        if self._has_begun:
            raise self._problem("entry", "a second 'began', allowed: one, at the beginning")
        self._number("at", entry.at, 0, MOMENT_MAX)
        self._began = entry.at
        self._number("seed", entry.seed, 0, INT64_MAX)
        self._limits(entry.policy)
        self._has_begun = True

    def _limits(self, policy: Policy) -> None:
        for name, value in msgspec.structs.asdict(policy).items():
            limit = BYTES_MAX if name == "response_body_bytes_kept" else DURATION_MAX
            if isinstance(value, int):
                self._number(f"policy.{name}", int(value), 0, limit)

    def _change(self, entry: WebhookChanged) -> None:
        self._word("command", entry.command, _COMMANDS)
        self._number("webhook_id", entry.webhook_id, 0, INT64_MAX)
        self._number("client_id", entry.client_id, -INT64_MAX, INT64_MAX)
        if entry.command == "create":
            if entry.webhook_id in self._webhooks:
                raise self._problem("webhook_id", f"webhook {entry.webhook_id} exists already")
        else:
            self._known([entry.webhook_id])
            client, status = self._webhooks[entry.webhook_id]
            if client != entry.client_id:
                raise self._problem("client_id", f"webhook {entry.webhook_id} belongs to client {client}")
            allowed = _statuses_before(entry.command)
            if status not in allowed:
                raise self._problem(
                    "command",
                    f"cannot {entry.command} webhook {entry.webhook_id} in status {status}, allowed in: "
                    f"{', '.join(allowed)}",
                )
        self._webhooks[entry.webhook_id] = entry.client_id, entry.status

    def _happen(self, entry: Happened) -> None:
        self._known(entry.webhook_ids)
        self._number("client_id", entry.client_id, -INT64_MAX, INT64_MAX)
        # In order, so that one binary search finds an event.
        self._number("first_serial", entry.first_serial, self._lasts[-1] + 1 if self._lasts else 0, INT64_MAX)
        if entry.events:
            is_gap = bool(self._lasts) and entry.first_serial != self._lasts[-1] + 1
            self._gaps.append((self._gaps[-1] if self._gaps else 0) + is_gap)
            self._firsts.append(entry.first_serial)
            self._lasts.append(entry.first_serial + len(entry.events) - 1)

    def _attempt(self, entry: Attempted) -> None:
        self._known([entry.webhook_id])
        self._number("first_number", entry.first_number, 1, INT64_MAX)
        self._number("count", entry.count, 1, ATTEMPTS_MAX)
        self._number("interval", entry.interval, 0, VIRTUAL_TIME_MAX)
        self._number("took", entry.took, 0, VIRTUAL_TIME_MAX)
        self._moment("count", entry.last_at)
        self._moment("took", entry.last_at + entry.took)
        self._serials("serials", entry.serials)
        self._serials("redelivered", entry.redelivered)
        for kind in entry.faults:
            self._word("faults", kind, FAULTS)
        self._outcome(entry.outcome)

    def _call(self, entry: Called) -> None:
        if entry.client_id is not None:
            self._number("client_id", entry.client_id, 1, INT64_MAX)
        for name, number in entry.ids.items():
            self._number(f"ids.{short(name)}", number, 1, INT64_MAX)
            if f"{{{name}}}" not in entry.path:
                raise self._problem(f"ids.{short(name)}", "is not in the path, allowed: names in braces")
        if entry.status is not None:
            self._number("status", entry.status, 100, 599)
        for kind in entry.faults:
            self._word("faults", kind, FAULTS)

    def _outcome(self, outcome: Outcome) -> None:
        if isinstance(outcome, Responded):
            self._number("outcome.status", outcome.status, 100, 999)
            self._number("outcome.body_bytes", outcome.body_bytes, 0, BYTES_MAX)
        else:
            self._word("outcome.phase", outcome.phase, PHASES)

    def _known(self, webhook_ids: Iterable[int]) -> None:
        for webhook_id in webhook_ids:
            if webhook_id not in self._webhooks:
                raise self._problem("webhook", f"webhook {short(str(webhook_id))} was not created before this line")

    def _moment(self, field: str, moment: int) -> None:
        if not 0 <= moment <= self._began + VIRTUAL_TIME_MAX:
            raise self._problem(
                field,
                f"{moment} is out of range, allowed: up to {format_duration(VIRTUAL_TIME_MAX)} after the beginning",
            )

    def _serials(self, field: str, ranges: SerialRanges) -> None:
        """Reject events that did not occur, or occur twice: ranges of a few bytes could stand for billions."""
        before = -1
        for first, last in sorted(ranges):
            begin, end = (bisect_right(self._firsts, serial) - 1 for serial in (first, last))
            if not (
                before < first <= last
                and begin >= 0
                and first <= self._lasts[begin]
                and last <= self._lasts[end]
                and self._gaps[begin] == self._gaps[end]
            ):
                raise self._problem(field, f"{first} to {last} are no events of this journal, or some of them twice")
            before = last

    def _word(self, field: str, found: str, allowed: Iterable[str]) -> None:
        if found not in (words := list(allowed)):
            raise self._problem(field, unknown("word", found, words))

    def _number(self, field: str, found: int, least: int, most: int) -> None:
        if not least <= found <= most:
            raise self._problem(field, f"{found} is out of range, allowed: {least} to {most}")

    def _problem(self, field: str, what: str) -> InvalidInputError:
        return InvalidInputError(f"{self._where}:{self._line}: {field}: {what}")


def _statuses_before(command: str) -> list[WebhookStatus]:
    for known in get_args(Command):
        if known == command:
            return statuses_allowing(known)
    return sorted(set(WebhookStatus) - {WebhookStatus.DELETED})
