"""The journal as lines that a person reads, one for each run of equal attempts; what failed, in a few sentences."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from typing import assert_never

import msgspec

from mockcampaign.durations import format_duration, format_moment
from mockcampaign.engine.declared_faults import When
from mockcampaign.engine.journal import (
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
    StepReached,
    Verified,
    WebhookChanged,
    serials_in,
)
from mockcampaign.faults import OUTAGES
from mockcampaign.judging.failures import FailedAttempts, Failures, PastOutage
from mockcampaign.model import describe_measured
from mockcampaign.report import sentences
from mockcampaign.text import counted, few

WEBHOOK_ID = "webhookId"
"""Name of a webhook's id in the path of a call."""

FOLDED_MIN = 3
"""How many lines of events, and of batches, a run of the natural case has before it becomes one line."""

NEAR_FAILURE = 3
"""How many lines before and after a failure are never folded: an event, its delivery and the event that failed."""

CONTEXT_LINES = 4
"""How many lines an excerpt shows before and after a line that is evidence."""


NOTES_MAX = 20
"""How many webhooks, and how many outages, have a sentence of their own."""

OUTCOMES_MAX = 5
"""How many kinds of outcomes a sentence names."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a timeline."""

    when: str
    """Virtual time since the run began: a moment, or a span."""
    who: str
    """The webhook's name, or nothing."""
    what: str
    came_to: str
    """The outcome of an attempt, or nothing."""
    measured: str = ""
    """Measurements of the attempt in words, or nothing."""
    accepted: bool | None
    """Whether the consumer accepted the batch; None where nothing was sent."""
    positions: range = range(0)
    """Positions of its entries in the journal."""


def timeline(entries: Sequence[Entry], names: dict[int, str]) -> Iterator[Line]:
    """Yield the lines in order. `names` gives the webhooks' names by id."""
    began = entries[0]
    assert isinstance(began, Began)
    position = 0
    while position < len(entries):
        entry = entries[position]
        alike = 1
        if isinstance(entry, Attempted | Happened | Called):
            key = _key(entry)
            while position + alike < len(entries) and _key(entries[position + alike]) == key:
                alike += 1
        line = _line(entries[position : position + alike], began.at, names)
        if line is not None:
            yield msgspec.structs.replace(line, positions=range(position, position + alike))
        position += alike


def folded(lines: Sequence[Line], entries: Sequence[Entry]) -> list[Line]:
    """Return the lines with each long run of the natural case as one: events occur, and their batches are accepted.

    Lines next to a failure stay as they are, since they show what came before it and how it ended.
    """
    began = entries[0].at
    natural = [line.accepted is not False and _is_natural(entries[line.positions.start]) for line in lines]
    near = {
        index + step
        for index, line in enumerate(lines)
        if line.accepted is False
        for step in range(-NEAR_FAILURE, NEAR_FAILURE + 1)
    }
    found: list[Line] = []
    for is_folded, group in itertools.groupby(
        enumerate(lines), key=lambda numbered: natural[numbered[0]] and numbered[0] not in near
    ):
        run = [line for _, line in group]
        deliveries = sum(line.accepted is True for line in run)
        if is_folded and min(deliveries, len(run) - deliveries) >= FOLDED_MIN:
            found.append(_one_line(run, entries, began))
        else:
            found += run
    return found


def _is_natural(entry: Entry) -> bool:
    match entry:
        case Happened():
            return bool(entry.webhook_ids)
        case Attempted(count=1, first_number=1):
            return entry.outcome.accepted and not entry.faults and not entry.redelivered and not entry.simulated
        case _:
            return False


def _one_line(run: Sequence[Line], entries: Sequence[Entry], began: int) -> Line:
    positions = range(run[0].positions.start, run[-1].positions.stop)
    events: Counter[str] = Counter()
    sizes: list[int] = []
    for entry in (entries[position] for line in run for position in line.positions):
        match entry:
            case Happened():
                events[entry.type] += len(entry.events)
            case Attempted():
                sizes.append(entry.events)
    total = events.total()
    batches = f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    return Line(
        when=_span(entries[positions.start].at - began, entries[positions.stop - 1].at - began),
        who=", ".join(dict.fromkeys(line.who for line in run if line.who)),
        what=f"{total} {' and '.join(events)} event{_s(total)} over time, {len(sizes)} batches of {batches}",
        came_to=next(line.came_to for line in run if line.accepted),
        accepted=True,
        positions=positions,
    )


def excerpt(lines: Sequence[Line], evidence: Set[int], lines_max: int | None) -> list[Line | int]:
    """Return the lines around the evidence, at most `lines_max`; a number stands for that many lines left out.

    The last evidence, on which a judgement rests, counts most. Next come the attempts that ended differently from the
    one before, or rejected ones if there are none; then the start. Without evidence, the beginning and the end stay.
    """
    if lines_max is None or len(lines) <= lines_max:
        return [*lines]
    telling = [index for index, line in enumerate(lines) if not evidence.isdisjoint(line.positions)]
    attempts = [index for index in telling if lines[index].accepted is not None]
    changes = [
        index for before, index in itertools.pairwise(attempts) if lines[before].accepted != lines[index].accepted
    ]
    others = sorted(changes or attempts or telling, key=lambda index: lines[index].accepted is not False)
    telling = [*telling[-1:], *others, *([0] if telling else [])]
    half = lines_max // 2
    kept = set() if telling else {*range(half), *range(len(lines) - lines_max + half, len(lines))}
    for index in telling:
        window = range(max(index - CONTEXT_LINES, 0), min(index + CONTEXT_LINES + 1, len(lines)))
        for near in sorted(window, key=lambda other: abs(other - index)):
            if len(kept) < lines_max:
                kept.add(near)
    return list(_with_gaps(lines, sorted(kept)))


def _with_gaps(lines: Sequence[Line], kept: Sequence[int]) -> Iterator[Line | int]:
    following = 0
    for index in kept:
        if index > following:
            yield index - following
        yield lines[index]
        following = index + 1
    if following < len(lines):
        yield len(lines) - following


def _key(entry: Entry) -> object:
    """Return what neighbouring entries must share to be one line, such as batches delivered in a row."""
    match entry:
        case Attempted(count=1, first_number=1) if entry.outcome.accepted:
            return entry.webhook_id, entry.events, entry.faults
        case Happened():
            return entry.client_id, entry.type, entry.webhook_ids
        case Called():
            return msgspec.structs.replace(entry, at=0)
        case _:
            return id(entry)


def _line(entries: Sequence[Entry], start: int, names: dict[int, str]) -> Line | None:
    entry, last = entries[0], entries[-1]
    when = _span(entry.at - start, (last.last_at if isinstance(last, Attempted) else last.at) - start)
    match entry:
        case Attempted():
            return Line(
                when=when,
                who=names.get(entry.webhook_id, f"webhook {entry.webhook_id}"),
                what=_attempts(entry, len(entries)),
                came_to=sentences.outcome(entry.outcome),
                measured=_measured(entries),
                accepted=entry.outcome.accepted,
            )
        case Happened(webhook_ids=webhook_ids):
            count = sum(len(happened.events) for happened in entries if isinstance(happened, Happened))
            exported = "" if webhook_ids else ", not exported: no activated webhook of this type"
            what = f"{count} {entry.type} event{_s(count)}{exported}"
            return Line(when=when, who="", what=what, came_to="", accepted=None)
        case Discarded():
            count = len(list(serials_in(entry.serials)))
            who = names.get(entry.webhook_id, f"webhook {entry.webhook_id}")
            what = f"{count} event{_s(count)} discarded: {entry.reason}"
            return Line(when=when, who=who, what=what, came_to="", accepted=None)
        case WebhookChanged():
            who = names.get(entry.webhook_id, f"webhook {entry.webhook_id}")
            return Line(when=when, who=who, what=f"{entry.command} → {entry.status}", came_to="", accepted=None)
        case OutageDeclared(at=at, until=until, kind=kind):
            what = f"outage for {format_duration(until - at)}: {kind}"
            return Line(when=when, who="", what=what, came_to="", accepted=None)
        case OutageEnded(webhook_ids=webhook_ids):
            who = ", ".join(names.get(webhook_id, f"webhook {webhook_id}") for webhook_id in webhook_ids)
            return Line(when=when, who=who, what="outage ended", came_to="", accepted=None)
        case FaultDeclared(fault=fault, when=hits):
            return Line(when=when, who="", what=f"fault {fault.kind}{_limits(hits)}", came_to="", accepted=None)
        case FaultEnded(kind=kind):
            return Line(when=when, who="", what=f"fault {kind} ended", came_to="", accepted=None)
        case MailSent(mail_id=mail_id, result=result):
            came_to = "" if result == "sent" else f"not sent: {result}"
            return Line(when=when, who="", what=f"mail {mail_id}", came_to=came_to, accepted=None)
        case ClientChanged(what=what, command=command, count=count):
            noun = what if count == 1 else f"{what}, {count} of them"
            return Line(when=when, who="", what=f"{command} {noun}", came_to="", accepted=None)
        case Verified(webhook_id=webhook_id, events=events, outcome=outcome):
            return Line(
                when=when,
                who=names.get(webhook_id, f"webhook {webhook_id}"),
                what=f"verify with {len(events)} sample event{_s(len(events))}",
                came_to=outcome.describe(),
                measured=describe_measured(outcome),
                accepted=outcome.accepted,
            )
        case Requested(method=method, what=special, outcome=outcome):
            return Line(
                when=when,
                who="",
                what=f"{method}: {special}",
                came_to=outcome.describe(),
                measured=describe_measured(outcome),
                accepted=None,
            )
        case Called(ids=ids):
            called = ids.get(WEBHOOK_ID)
            return Line(
                when=when,
                who="" if called is None else names.get(called, f"webhook {called}"),
                what=sentences.call(entry) if len(entries) == 1 else f"{sentences.call(entry)}, {len(entries)} times",
                came_to=sentences.call_outcome(entry),
                accepted=None,
            )
        case Captured(why=why, outcome=outcome):
            return Line(
                when=when,
                who="",
                what=f"recorded as it is: {why}",
                came_to=outcome.describe(),
                measured=describe_measured(outcome),
                accepted=None,
            )
        case Probed(count=count):
            what = f"probe: {count} event{_s(count)} stored"
            return Line(when=when, who="", what=what, came_to="", accepted=None)
        case Resumed():
            return Line(when=when, who="", what="continued from a state file", came_to="", accepted=None)
        case Began() | StepReached():
            return None
        case _:
            assert_never(entry)


def _attempts(entry: Attempted, batches: int) -> str:
    what = f"{batches} batches of {entry.events}" if batches > 1 else f"batch of {entry.events}"
    if not entry.serials:
        what += ", redelivered"
    # The outcome of an attempt shows the kind of outage.
    faults = [kind for kind in entry.faults if kind not in OUTAGES and (entry.serials or kind != "duplicate")]
    if faults:
        what += f" ({', '.join(dict.fromkeys(faults))})"
    if entry.simulated:
        what += ", simulated"
    if entry.count > 1:
        last = entry.first_number + entry.count - 1
        return f"{what}, attempts {entry.first_number}-{last} every {format_duration(entry.interval)}"
    return what if entry.first_number == 1 else f"{what}, attempt {entry.first_number}"


def _measured(entries: Sequence[Entry]) -> str:
    """Return what was measured of a line's attempts, which differ in nothing else."""
    first, *others = [entry.outcome for entry in entries if isinstance(entry, Attempted)]
    for other in others:
        first = first.together_with(other)
    return describe_measured(first)


def _limits(when: When) -> str:
    parts = []
    if when.every is not None:
        parts.append(f"every {_ordinal(when.every)} attempt")
    if when.probability is not None:
        parts.append(f"with probability {when.probability:g}")
    if when.times is not None:
        parts.append(f"{when.times} time{_s(when.times)}")
    if when.duration is not None:
        parts.append(f"for {format_duration(when.duration)}")
    return f", {', '.join(parts)}" if parts else ""


def _ordinal(number: int) -> str:
    suffix = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _span(first: int, last: int) -> str:
    begin = f"+{format_duration(first)}"
    return begin if first == last else f"{begin} … +{format_duration(last)}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def failure_notes(failures: Failures) -> tuple[str, ...]:
    """Return the outages and then the failed attempts, the newest ones if there are too many."""
    outages = [_outage(one) for one in failures.outages]
    attempts = [f"webhook {number}: {_failed(one)}" for number, one in failures.attempts.items()]
    return (*_newest_of(outages, "earlier outage"), *_newest_of(attempts, "other webhook with failed attempts"))


def _newest_of(notes: list[str], noun: str) -> list[str]:
    left_out = len(notes) - NOTES_MAX
    if left_out <= 0:
        return notes
    plural = noun if left_out == 1 else noun.replace("outage", "outages").replace("webhook", "webhooks")
    return [f"not shown: {left_out:,} {plural}", *notes[-NOTES_MAX:]]


def _outage(outage: PastOutage) -> str:
    whose = few([f"webhook {number}" for number in outage.webhook_ids]) or "every webhook"
    early = "".join(
        f", for webhook {number} until {format_moment(until)}"
        for number, until in outage.ended.items()
        if until < outage.until
    )
    lasted = f"{format_moment(outage.at)} until {format_moment(outage.until)}"
    return f"declared outage ({outage.kind}) of {whose} from {lasted}{early}"


def _failed(attempts: FailedAttempts) -> str:
    of = f"{attempts.failed:,} of {counted(attempts.attempts, 'attempt')} failed"
    if attempts.simulated:
        of += f" ({attempts.simulated:,} simulated)"
    kinds = [f"{what}, in {count:,}" for what, count in attempts.outcomes.most_common(OUTCOMES_MAX)]
    left = attempts.failed - sum(count for _, count in attempts.outcomes.most_common(OUTCOMES_MAX))
    kinds += [f"otherwise, in {left:,}"] if left else []
    pending = len(attempts.pending)
    are = "is" if pending == 1 else "are"
    waited = f"up to {counted(attempts.waiting_max, 'event')} waited, and {pending:,} {are} pending now"
    return f"{of}, {_periods_of(attempts)}: {'; '.join(kinds)}; {waited}"


def _periods_of(attempts: FailedAttempts) -> str:
    first, last = format_moment(attempts.first_at), format_moment(attempts.last_at)
    if attempts.first_at == attempts.last_at:
        return f"at {first}"
    periods = "" if attempts.periods == 1 else f"in {attempts.periods:,} periods "
    return f"{periods}from {first} to {last} ({format_duration(attempts.last_at - attempts.first_at)})"
