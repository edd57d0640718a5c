"""Facts in words. No other module says in English what was found.

Changing any text here changes no baseline, no grouping, no exit status and no colour: these follow from the facts.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never, get_args

import msgspec

from mockcampaign import json_text
from mockcampaign.durations import format_duration, format_moment
from mockcampaign.engine.journal import Called
from mockcampaign.judging.fact import (
    AgeLimit,
    AllAttempts,
    AnyFact,
    AttemptsEnded,
    BlocksOthers,
    ByCounter,
    Capacity,
    Confirmation,
    Confirmed,
    Costs,
    CountsTwice,
    DependsOn,
    DeployBalance,
    DeployEvents,
    DeployStored,
    DeployTook,
    Died,
    EdgeCaseField,
    EventBudgetReached,
    EventDifference,
    Fewer,
    FieldChange,
    FieldsAltered,
    HandshakeFailed,
    HistoryStep,
    Inconclusive,
    InFront,
    JudgedAttempts,
    KeysOn,
    LastReading,
    LostInCrash,
    LostWhileBroken,
    Need,
    Needs,
    NeverResponds,
    NotReached,
    NotStored,
    NoVerdict,
    OwnTrouble,
    PairLost,
    Pattern,
    Poisoned,
    Precondition,
    ProbeFailed,
    Rejected,
    RejectsLater,
    ReplacedFields,
    Reply,
    Response,
    ResponseBody,
    RotationRejected,
    SetUpCase,
    SetUpLeft,
    SetUpMistake,
    SetUpPassed,
    SmallestRejected,
    SometimesRecognised,
    StateIsStale,
    Stimulus,
    StoreAgrees,
    StoredAnyway,
    StoreDiffers,
    StoredNonEvent,
    StoredPositions,
    SurplusBytes,
    Unavailable,
    Under,
    UnderscoreInHeader,
    Unfinished,
    Unmet,
)
from mockcampaign.judging.finding import Finding, Judgement, SweptOutcome
from mockcampaign.judging.ledger import CallCount
from mockcampaign.judging.responses.rejections import MISDIRECTED, UNAUTHORISED
from mockcampaign.judging.situation import Situation
from mockcampaign.judging.verdict import Note, Scope, SweepSummary
from mockcampaign.model import Outcome, Responded
from mockcampaign.shape.placeholders import MAIL_IDS
from mockcampaign.tables import complete
from mockcampaign.text import counted, few

KEY_FIELDS_SHOWN_MAX = 4
"""How many fields of a deduplication key a sentence names; of a longer one, it names what is missing."""

SUSPECTS_SHOWN_MAX = 5
"""How many rules are named whose events the consumer has accepted since a probe last worked."""

HURRIED_SHOWN_MAX = 3
"""How many rules that passed with fewer requests the headline names."""

CHANGES_SHOWN_MAX = 3
"""How many altered fields of one event a sentence shows."""

VALUE_SHOWN_MAX, VALUE_BEGINNING = 36, 20
"""Characters of a value that a sentence shows whole, and of the beginning of a longer one."""

STIMULI_SHOWN_MAX = 6
"""How many requests with the same response a sentence names."""

POSITIONS_SHOWN_MAX = 8
"""How many positions in a batch a sentence shows."""


def actual(facts: Sequence[AnyFact]) -> str:
    """Say what was found, in one line."""
    return _capitalised(_joined(facts))


def _joined(facts: Sequence[AnyFact]) -> str:
    return "; ".join(filter(None, _clauses(facts)))


def _capitalised(said: str) -> str:
    return said[:1].upper() + said[1:]


def brief(facts: Sequence[AnyFact]) -> str:
    """Say the one thing that shows a violation best, without examples; nothing where no fact shows one."""
    telling = [fact for fact in facts if fact.identity]
    if any(isinstance(fact, StoreDiffers) for fact in telling):
        telling = [fact for fact in telling if not _accepts(fact)]
    if not telling:
        return ""
    match telling[0]:
        case StoreDiffers(after=after) as fact:
            said = _difference(msgspec.structs.replace(fact, examples=()))
            said += "" if after is None else f" after {_stimulus(after)}"
        case KeysOn() as fact:
            said = f"{_key_of(fact)}: {fact.events_lost} of {fact.events} realistic {fact.event_type}s were lost"
        case fact:
            said = _clause(fact)
    return _capitalised(said)


def _accepts(fact: AnyFact) -> bool:
    return isinstance(fact, Response) and all(reply.accepted for reply in fact.replies)


def need(one: Need) -> str:
    """Say what the check must be given, and by which option."""
    return _NEEDS[one][1]


def stimulus(one: Stimulus) -> str:
    """Say what was sent or done."""
    return _stimulus(one)


def outcome(one: Outcome) -> str:
    """Say how an attempt ended."""
    if isinstance(one, Responded) and not 300 <= one.status < 400:
        return str(one.status)  # nearly all of a timeline's thousands
    return _reply(Reply.of(one))


def attempt(one: Outcome) -> str:
    """Say how an attempt ended, as what the consumer did."""
    return _attempt(Reply.of(one))


def call(one: Called) -> str:
    """Return which operation of the REST API a call was for, or its method and path if it was for none."""
    return one.operation or f"{one.method} {one.shown_path}"


def call_outcome(one: Called) -> str:
    """Return how a call of the REST API ended, and which faults hit it."""
    ended = "no response" if one.status is None else str(one.status)
    return f"{ended} ({', '.join(one.faults)})" if one.faults else ended


def access_line(one: Called) -> str:
    """Return a call of the REST API as a line of an access log."""
    client = "-" if one.client_id is None else str(one.client_id)
    line = f"{format_moment(one.at)} {client} {one.method} {one.shown_path} {call_outcome(one)}"
    return f"{line} {one.operation}" if one.operation else line


def calls(counts: Sequence[CallCount]) -> str:
    """Return how many calls of the REST API there were, by operation and status."""
    kinds = [
        f"{one.operation} {'without response' if one.status is None else one.status}"
        + (f" ({one.count:,})" if one.count > 1 else "")
        for one in counts
    ]
    return f"{counted(sum(one.count for one in counts), 'call')} of the REST API: {', '.join(kinds)}"


def difference_of(found: StoreDiffers) -> str:
    """Say how the store differs, in one line."""
    return _difference(found)


def swept(one: SweptOutcome) -> str:
    """Say what a rule came to where something else is assumed of the sender."""
    because = f" ({_joined(one.facts)})" if one.facts else ""
    return f"{OUTCOMES[one.outcome]} with {one.variation}{because}"


def difference(one: EventDifference) -> str:
    """Say how the store differs in one event."""
    if one.kind == "altered":
        return f"altered: {one.event}: {_changes(one.changes)}"
    return f"{one.kind}: {one.event}"


def sweep_summary(one: SweepSummary) -> str:
    """Say whether the verdict holds where other things are assumed of the sender."""
    if not one.variations:
        if one.missed:
            return f"none of {counted(one.missed, 'other assumption')} was tried"
        return "no examined rule depends on what is varied"
    depending = [
        f"{each.rule_id} is {'kept' if each.outcome == 'pass' else 'violated'} with {each.variation}"
        for each in one.depending
    ]
    verdict = f"depends: {'; '.join(depending)}" if depending else "holds in all"
    if (one.missed or one.inconclusive) and not depending:
        verdict = "holds in all that were conclusive"
    missed = f" ({one.missed} more were not tried)" if one.missed else ""
    inconclusive = f" and {one.inconclusive} inconclusive ones" if one.inconclusive else ""
    return (
        f"under {counted(one.variations, 'other assumption')}{missed}, {counted(one.examinations, 'examination')}"
        f"{inconclusive} in {one.milliseconds / 1_000:.1f} s, the verdict {verdict}"
    )


def note(one: Note, milliseconds: int | None = None) -> str:
    """Say what the rules that passed in a check that took so long do not show."""
    match one:
        case "memory":
            took = "" if milliseconds is None else f" ({max(1, milliseconds // 1_000)} s of wall time)"
            return (
                f"deduplication memory longer than this check{took} was not examined: try --memory 10m, or for days "
                "--clock, which lets the consumer's clock follow (`mockcampaign clock run`)"
            )
        case "clock-assumed":
            return "it is assumed that the consumer's clock follows the file of --clock (`mockcampaign clock run`)"
        case "fault-not-noticed":
            return "no response changed while something was broken (--break-cmd): see whether the consumer needs it"
        case _:
            assert_never(one)


def scope(one: Scope) -> str:
    """Say which events a check was about, and by how many of their fields it compared them, if not by all."""
    fields = f", {one.fields_compared} of {one.fields} fields compared" if one.fields_compared < one.fields else ""
    return f"{one.event_type} events{fields}"


def headline(findings: Sequence[Finding]) -> str:
    """Say what was examined, what failed, and what the rest would need."""
    counts = Counter(finding.outcome for finding in findings if not finding.known)
    known = sum(finding.known for finding in findings)
    examined = counts["pass"] + counts["fail"] + counts["warn"] + known
    hazards = counted(counts["warn"], "hazard") if counts["warn"] else ""
    if counts["fail"]:
        parts = [f"{counts['fail']} of {counted(examined, 'rule')} violated" + (f", {hazards}" if hazards else "")]
    else:
        parts = [
            f"no violation in {examined} of {counted(len(findings), 'rule')}" + (f", but {hazards}" if hazards else "")
        ]
    needs = Counter(
        fact.need
        for finding in findings
        if finding.outcome == "not-exercised"
        for fact in finding.facts
        if isinstance(fact, Needs)
    )
    parts += [f"{count} need{'s' * (count == 1)} {_NEEDS[need][0]}" for need, count in needs.items()]
    others = counts["not-exercised"] - needs.total()
    if others:
        parts.append(f"{others} skipped")
    if known:
        parts.append(f"{counted(known, 'known violation')} accepted")
    if counts["could-not-tell"]:
        parts.append(f"{counts['could-not-tell']} inconclusive")
    hurried = [one.id for one in findings if one.outcome == "pass" and any(map(_is_fewer, one.facts))]
    if hurried:
        names = few(hurried, HURRIED_SHOWN_MAX)
        parts.append(f"{len(hurried)} passed with fewer requests than usual (--budget): {names}")
    parts += _within_budget(findings, examined)
    return "; ".join(parts)


def _is_fewer(fact: AnyFact) -> bool:
    in_time = isinstance(fact, Confirmed) and fact.what is Confirmation.HISTORIES_ENDED_WELL_IN_TIME
    return in_time or isinstance(fact, Fewer)


def _within_budget(findings: Sequence[Finding], examined: int) -> Iterator[str]:
    """Yield what share of the rules the budget was enough for, and which one would do, if it was not."""
    cut_short = [fact for one in findings for fact in one.facts if isinstance(fact, NotReached | Unfinished)]
    budget = next((fact.budget for fact in cut_short if fact.budget is not None), None)
    if budget is not None:
        enough = next((fact.enough for fact in cut_short if fact.enough is not None), None)
        would_do = "" if enough is None else f": --budget {format_duration(enough)} would do"
        yield f"{format_duration(budget)} was enough for {100 * examined // len(findings)} % of the rules{would_do}"
        read = max(fact.read or 0 for fact in cut_short)
        if read:
            yield (
                f"each response of the probe has some {read:,} events: empty the store between checks, or let the "
                f"probe select events by {{{MAIL_IDS.name}}} (in SQL, :{MAIL_IDS.name})"
            )


def _clauses(facts: Sequence[AnyFact]) -> Iterator[str]:
    """Yield a clause for each fact, and one for all responses in succession that are the same."""
    before: Stimulus | None = None
    for replies, group in itertools.groupby(facts, _replies_with_status):
        if replies is None:
            for fact in group:
                # What the clause before says was sent need not be said again.
                repeats = isinstance(fact, StoreDiffers) and fact.after == before
                yield _clause(msgspec.structs.replace(fact, after=None) if repeats else fact)
        else:
            sent = [fact.to for fact in group if isinstance(fact, Response)]
            yield f"{_responded(replies)} to {_stimuli(sent)}"
            before = sent[-1]


def _replies_with_status(fact: AnyFact) -> tuple[Reply, ...] | None:
    responded = isinstance(fact, Response) and any(reply.status is not None for reply in fact.replies)
    return fact.replies if isinstance(fact, Response) and responded else None


def _clause(fact: AnyFact) -> str:
    match fact:
        case Response():
            return _response(fact)
        case StoreDiffers():
            after = "" if fact.after is None else f"after {_stimulus(fact.after)}, "
            return f"{after}{_difference(fact)}"
        case StoreAgrees():
            after = "" if fact.after is None else f" after {_stimulus(fact.after)}"
            events = counted(fact.events, "event") if fact.events else "each event"
            return f"stored {events} once{after}"
        case StoredPositions():
            return _positions(fact)
        case SetUpLeft():
            return _set_up_left(fact)
        case SetUpPassed():
            return f"in none of {counted(fact.cases, 'case')}, in which each of {counted(fact.calls, 'call')} failed"
        case DeployBalance() | DeployStored() | DeployTook() | DeployEvents() | RotationRejected():
            return _deploy(fact)
        case SmallestRejected():
            size = "" if fact.body_bytes is None else f" and {fact.body_bytes:,} bytes"
            does = "does not store" if fact.lost else "rejects"
            alone = f", because of its {fact.field} of {counted(fact.characters, 'character')}" if fact.field else ""
            return f"the smallest batch it {does} has {counted(fact.events, 'event')}{size}{alone}"
        case Costs():
            return _costs(fact)
        case NeverResponds():
            return f"Campaign waits for the time-out of {format_duration(fact.timeout)}, {fact.attempts:,} times"
        case BlocksOthers():
            if fact.milliseconds is None:
                return f"{counted(fact.events, 'event')} that occur an hour later are lost with them"
            return f"{counted(fact.events, 'event')} that occur an hour later wait {format_duration(fact.milliseconds)}"
        case FieldsAltered():
            others = [change for change in fact.changes if change.name not in fact.absent]
            without = [f"events without {_listed(fact.absent)}"] if fact.absent else []
            return f"stored {'; '.join([*without, *([_changes(others)] if others else [])])}"
        case KeysOn():
            return _keys_on(fact)
        case CountsTwice():
            if fact.always:
                return (
                    f"recognised no event of a batch that was redelivered unchanged, and stored {fact.duplicate} of "
                    f"{fact.events} realistic {fact.event_type}s twice when they were redelivered in a longer batch"
                )
            return (
                f"its deduplication key holds more than the event, such as the batch or the request: "
                f"{fact.duplicate} of {fact.events} realistic {fact.event_type}s were stored twice when they were "
                "redelivered in a longer batch"
            )
        case SometimesRecognised():
            return (
                f"recognised {fact.recognised} of {fact.batches} redelivered batches and stored the others again, as "
                "several workers or processes do that do not share their deduplication keys"
            )
        case PairLost():
            lost, stored = ("one batch", "two batches") if fact.within else ("two batches", "one batch")
            return f"it belongs to the pair that arrived in {lost}; the pair in {stored} is stored"
        case AgeLimit():
            return _age_limit(fact)
        case StateIsStale():
            return _stale(fact)
        case Died():
            replied = f"{_responded(fact.replies)}, then " if fact.replies else ""
            restarted = ", until something restarted it" if fact.is_back else ""
            return f"{replied}could not be reached any more after {_stimulus(fact.after)} ({fact.reason}){restarted}"
        case LostInCrash():
            return _lost_in_crash(fact)
        case LostWhileBroken():
            return (
                f"{fact.lost} of {counted(fact.events, 'event')} that it acknowledged around the fault (--break-cmd) "
                f"are missing after its end, and rejected batches: {fact.rejected}"
            )
        case SurplusBytes():
            return f"sent more bytes in response to {_stimulus(fact.to)} than the response's head announces"
        case StoredAnyway():
            return f"stored {counted(fact.events, 'event')} of it anyway"
        case StoredNonEvent():
            return "stored an element that is not an event"
        case HandshakeFailed():
            return f"no TLS connection: {fact.reply.reason}"
        case InFront():
            unlike = f", unlike accepted batches, {fact.own}" if fact.own else ""
            what = " because its port expects https" if fact.https_port else ""
            return f"the {fact.status} came from what stands before the consumer ({fact.software}{unlike}){what}"
        case ResponseBody():
            return f"the {fact.status} says: {fact.text}"
        case ReplacedFields():
            return f"pseudonyms replace the captured values of {few(fact.fields)}"
        case UnderscoreInHeader():
            dropped = "which nginx and Apache drop by default"
            return f"the key was sent in the header {fact.name}, whose name contains underscores, {dropped}"
        case RejectsLater():
            return f"rejected {_credentials(fact.variant)} {fact.milliseconds} ms later than a wrong one"
        case Unavailable():
            return _unavailable(fact)
        case Poisoned():
            return _poisoned(fact)
        case AttemptsEnded():
            return f"{_attempt(fact.reply)} ({counted(fact.attempts, 'attempt')})"
        case AllAttempts():
            return _all_attempts(fact)
        case Confirmed():
            return CONFIRMATIONS[fact.what].format(
                count=f"{fact.count:,}",
                events=counted(fact.count, "event"),
                times=f"{fact.times:,}",
                milliseconds=f"{fact.milliseconds:,} ms",
                duration=format_duration(fact.milliseconds),
                sizes=_sizes(fact.sizes),
                fields=_fields_of(fact),
            )
        case Needs():
            return f"needs {_NEEDS[fact.need][1]}"
        case DependsOn():
            return f"depends on {fact.rule_id}, which is violated"
        case NotReached():
            return _not_reached(fact)
        case Unfinished():
            return _unfinished(fact)
        case Fewer():
            return f"only {fact.done:,} of {fact.of:,}, since there was no time for more (--budget)"
        case Capacity():
            return _capacity(fact)
        case EventBudgetReached():
            return f"the check has made {fact.events:,} events, which is its limit (--events)"
        case Unmet():
            events = "" if fact.events is None else counted(fact.events, "event")
            return PRECONDITIONS[fact.why].format(variant=fact.variant, events=events)
        case Rejected():
            too = ", and the same to an ordinary batch" if fact.ordinary_too else ""
            return f"{_response(fact.response)}{too}"
        case NotStored():
            return _clause(fact.difference)
        case NoVerdict():
            return _no_verdict(fact)
        case ProbeFailed():
            return f"{fact.message}; {_last_reading(fact.last)}"
        case Inconclusive():
            return fact.message
        case OwnTrouble():
            return f"an error in mockcampaign itself: {fact.error}: {fact.message} ({fact.place})"
        case ByCounter():
            return f"the stored events are right, but not the number at {fact.counter}: {_joined(fact.facts)}"
        case Under():
            return f"with {fact.variation}: {_joined(fact.facts)}"
        case _:
            assert_never(fact)


def _fields_of(fact: Confirmed) -> str:
    hidden = f"not compared: {few(fact.not_compared)}" if fact.not_compared else ""
    named = "; ".join(filter(None, (few(fact.fields), hidden)))
    return f" ({named})" if named else ""


# Responses


def _response(fact: Response) -> str:
    to = _stimulus(fact.to)
    if all(reply.status is None for reply in fact.replies):
        reasons = list(dict.fromkeys(reply.reason for reply in fact.replies))
        return f"did not respond to {to}: {', then '.join(reasons)}"
    return f"{_responded(fact.replies)} to {to}"


def _responded(replies: Sequence[Reply]) -> str:
    """Say how attempts ended, with one verb for all statuses in succession."""
    said: list[str] = []
    verb = ""
    for reply in replies:
        before, verb = verb, "did not respond" if reply.status is None else "responded"
        words = f"{verb} ({reply.reason})" if reply.status is None else _reply(reply)
        said.append(f"{verb} {words}" if verb == "responded" != before else words)
    return ", then ".join(said) if len(set(map(_reply, replies))) > 1 else said[0]


def _reply(reply: Reply) -> str:
    if reply.status is None:
        return reply.reason
    if reply.location is not None:
        return f"{reply.status} (a redirect to {reply.location}, which Campaign does not follow)"
    return str(reply.status)


def _attempt(reply: Reply) -> str:
    return _reply(reply) if reply.status is None else f"responded {_reply(reply)}"


def set_up_case(case: SetUpCase) -> str:
    """Return which call of a set-up failed, and how."""
    match case.kind:
        case "undisturbed":
            return "nothing failed"
        case "restarted":
            return "the server had forgotten everything after the first run"
        case "api-error":
            how = "got 500"
        case "api-unauthorized":
            how = "got 401"
        case _:
            how = "got no response"
    effect = ", though it was carried out" if case.timing == "after-effect" else ""
    return f"call {case.number} ({case.operation}) {how}{effect}"


def exit_statuses(statuses: Sequence[int | None]) -> str:
    """Return the exit statuses of runs of a command; one that ran for too long was stopped."""
    return ", ".join("stopped" if status is None else str(status) for status in statuses)


def _set_up_left(fact: SetUpLeft) -> str:
    where, runs = set_up_case(fact.case), counted(fact.runs, "run")
    ended = exit_statuses(fact.statuses)
    match fact.mistake:
        case SetUpMistake.DOUBLED:
            return f"{where}: {counted(fact.webhooks, 'activated webhook')} too many after {runs}"
        case SetUpMistake.ORPHANED:
            return f"{where}: {counted(fact.webhooks, 'webhook')} left behind that nobody uses, after {runs}"
        case SetUpMistake.DELETED_ACTIVE:
            return f"{where}: {counted(fact.webhooks, 'call')} to delete an activated webhook, which got 400"
        case SetUpMistake.DEAD_IDS:
            return f"{where}: {counted(fact.webhooks, 'webhook')} not registered anew (exit statuses {ended})"
        case SetUpMistake.NEVER_CONVERGES:
            if not fact.webhooks:
                return f"{where}: the last of {runs} failed although all webhooks are as wanted (exit statuses {ended})"
            return f"{where}: {counted(fact.webhooks, 'webhook')} not activated after {runs} (exit statuses {ended})"
        case SetUpMistake.FALSE_SUCCESS:
            return f"{where}: exit status 0, but {counted(fact.webhooks, 'webhook')} not activated"
        case _:
            assert_never(fact.mistake)


def _deploy(fact: DeployBalance | DeployStored | DeployTook | DeployEvents | RotationRejected) -> str:
    match fact:
        case DeployBalance():
            return (
                f"{counted(fact.created, 'event')} created = {fact.accepted:,} accepted (200) + {fact.discarded:,} "
                f"discarded after three days + {fact.pending:,} pending"
            )
        case DeployStored():
            right = fact.acknowledged - fact.missing - fact.altered
            return (
                f"{right:,} of {counted(fact.acknowledged, 'acknowledged event')} stored as sent, "
                f"{fact.missing:,} missing, {fact.altered:,} altered, {counted(fact.duplicate, 'duplicate')}"
            )
        case DeployTook():
            took = f"its command took {_wall(fact.command)}"
            failed = f"{fact.failed:,} of {counted(fact.attempts, 'attempt')} failed meanwhile"
            if fact.recovered is None:
                return f"the {fact.kind} at {format_duration(fact.at)}: {took}, {failed}, and events stayed pending"
            back = f"everything pending was accepted {_wall(fact.recovered)} after its beginning"
            return f"the {fact.kind} at {format_duration(fact.at)}: {took}, {failed}, and {back}"
        case DeployEvents():
            did = "acknowledged" if fact.what == "missing" else "first delivered"
            return (
                f"{did} before the {fact.kind} at {format_duration(fact.at)}: {fact.before:,}; during it: "
                f"{fact.during:,}"
            )
        case RotationRejected():
            sides = "both sides" if fact.after_both else "the consumer, but not yet Campaign,"
            return (
                f"{_attempt(fact.reply)} to {counted(fact.attempts, 'attempt')} within "
                f"{format_duration(fact.milliseconds)} after {sides} had changed the credentials "
                f"(rotation at {format_duration(fact.at)})"
            )
        case _:
            assert_never(fact)


_JUDGED: Mapping[JudgedAttempts, tuple[str, str]] = complete(
    "the words for the attempts that a rule judges",
    JudgedAttempts,
    {
        JudgedAttempts.WITH_RESPONSE: (" that got a response", "got no response"),
        JudgedAttempts.REACHED_CONSUMER: (
            " that reached the consumer",
            "did not reach it, or a fault or restart affected {them}",
        ),
    },
)
"""Words for the attempts that a rule judges, where there are others, and for those."""


def _all_attempts(fact: AllAttempts) -> str:
    which, rest = _JUDGED[fact.judged]
    them = "it" if fact.others == 1 else "them"
    others = f"; {counted(fact.others, 'other')} {rest.format(them=them)}" if fact.others else ""
    if fact.rejected:
        return _some_rejected(fact.attempts - fact.rejected, fact.rejected) + others
    which = which if fact.others else ""
    if fact.attempts == 1:
        return f"the only attempt{which} complies{others}"
    return f"all {fact.attempts:,} attempts{which} comply{others}"


def _some_rejected(accepted: int, rejected: int) -> str:
    how = f"{'was' if rejected == 1 else 'were'} rejected with an error status"
    if not accepted:
        return f"{counted(rejected, 'attempt')} {how}, none was accepted"
    were = "was" if accepted == 1 else "were"
    return f"{counted(accepted, 'attempt')} {were} accepted with 200; {rejected:,} {how}"


def _wall(milliseconds: int) -> str:
    return f"{milliseconds / 1_000:.1f} s"


def _stimulus(one: Stimulus) -> str:
    words = SITUATIONS[one.situation]
    is_repeated = (one.times or 1) > 1 and "{times}" not in words and one.situation not in _OF_EVERY_BATCH
    repeated = f", sent {one.times:,} times" if is_repeated else ""
    said = words.format(
        batch="a batch" if one.events is None else f"a batch of {counted(one.events, 'event')}",
        events="the events" if one.events is None else counted(one.events, "event"),
        sizes=_sizes(one.sizes),
        bytes="" if one.body_bytes is None else f"{one.body_bytes:,} bytes",
        times=f"{1 if one.times is None else one.times:,}",
        duration="" if one.milliseconds is None else format_duration(one.milliseconds),
        variant=one.variant,
        field=_field(one.variant),
        credentials=_credentials(one.variant),
        edge_cases=few(list(dict.fromkeys(map(_edge_case, one.edge_cases))), STIMULI_SHOWN_MAX)
        or "nothing unusual but its times",
        steps=", ".join(map(_step, one.steps)),
    )
    return f"{said}{repeated}"


def _stimuli(sent: Sequence[Stimulus]) -> str:
    """Say what was sent with the same result; of many, only the first and how many more."""
    words = list(map(_stimulus, sent))
    if all(one.situation is Situation.CREDENTIALS for one in sent[1:]):
        words[1:] = [_credentials(one.variant) for one in sent[1:]]
    if len(words) > STIMULI_SHOWN_MAX:
        words[STIMULI_SHOWN_MAX - 1 :] = [f"{len(words) - STIMULI_SHOWN_MAX + 1} more"]
    return _listed(words)


def _credentials(variant: str) -> str:
    return _CREDENTIALS.get(variant, variant)


def _edge_case(one: EdgeCaseField) -> str:
    if one.absent:
        return f"no {one.name}"
    text = one.value.encode()
    half = "" if json_text.without_lone_surrogates(text) == text else " (half an emoji: a lone surrogate)"
    return f"{one.name} {_value(one.value)}{half}"


_LACKS = {"": "", "absent": " without an optional field", "null": " with null in an optional field"}


def _step(step: HistoryStep) -> str:
    match step.kind:
        case "events":
            return counted(step.events, "event") + _LACKS[step.lacks]
        case "elsewhere":
            return f"{counted(step.events, 'event')} of another webhook"
        case "repeat":
            return "another event of the same mail"
        case "fault":
            return step.fault
        case "outage":
            return f"an outage of {format_duration(step.milliseconds)}"
        case "time":
            return f"{format_duration(step.milliseconds)} later"
        case _:
            assert_never(step.kind)


def _sizes(sizes: Sequence[int]) -> str:
    different = list(dict.fromkeys(sizes))
    return f"{_listed(list(map(str, different)))} event{'s' * (different != [1])}"


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else " and ".join((", ".join(items[:-1]), items[-1])) if items else ""


# The store


def _difference(fact: StoreDiffers) -> str:
    first = {one.kind: one for one in fact.examples}
    parts = []
    if fact.missing:
        shown = _first(fact.missing, first["missing"].event) if "missing" in first else ""
        of = f" of {fact.delivered:,} delivered" if fact.delivered > fact.missing else ""
        number = f"{fact.missing:,}{of} event{'' if max(fact.missing, fact.delivered if of else 0) == 1 else 's'}"
        parts.append(f"{number} {_be(fact.missing)} missing from the store{shown}{_pattern(fact, 'missing')}")
    if fact.duplicate:
        shown = _first(fact.duplicate, first["duplicate"].event) if "duplicate" in first else ""
        number = counted(fact.duplicate, "duplicate")
        parts.append(f"{number} {_be(fact.duplicate)} in the store{shown}{_pattern(fact, 'duplicate')}")
    if fact.altered:
        shown = _first(fact.altered, _changes(first["altered"].changes), "first: ") if "altered" in first else ""
        parts.append(f"{counted(fact.altered, 'event')} {_be(fact.altered)} altered{shown}")
    return " and ".join(parts)


def _pattern(fact: StoreDiffers, of: str) -> str:
    """Say what all events of a kind have in common."""
    for one in fact.patterns:
        if one.of == of and one.what == "shares-key" and one.count != one.total:
            return f"; {one.count:,} of {one.total:,} share their {_listed(list(one.fields))} with a stored one"
        if one.of == of:
            return f"; {'it' if getattr(fact, of) == 1 else 'each'} {_common(one)}"
    return ""


def _common(one: Pattern) -> str:
    match one.what:
        case "shares-key":
            return f"shares its {_listed(list(one.fields))} with a stored one"
        case "value":
            has = "lacks" if one.value is None else "has"
            value = "" if one.value is None else f" {_value(one.value)}"
            return f"{has} {one.fields[0]}{value}, unlike every stored one"
        case "first" | "last":
            return f"was the {one.what} of its batch"
        case "all-but-first":
            return "was behind the first of its batch"
        case "whole-batches":
            batches = f"{one.count:,} of {counted(one.total, 'batch').replace('batchs', 'batches')}"
            return f"was in a batch that is missing as a whole ({batches})"
        case "redelivered":
            return "was sent more than once"
        case _:
            assert_never(one.what)


def _first(count: int, shown: str, leader: str = "first ") -> str:
    return f": {shown}" if count == 1 else f", {leader}{shown}"


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def _changes(changes: Sequence[FieldChange]) -> str:
    shown = [_change(change) for change in changes[:CHANGES_SHOWN_MAX]]
    if len(changes) > CHANGES_SHOWN_MAX:
        shown.append(counted(len(changes) - CHANGES_SHOWN_MAX, "more field"))
    return _listed(shown)


def _change(change: FieldChange) -> str:
    sent, stored = ("absent" if one is None else _value(one) for one in (change.sent, change.stored))
    return f"{change.name} {sent} as {stored}"


def _value(text: str) -> str:
    """Show the JSON text of a value, or the beginning of a long one and its length."""
    if len(text) <= VALUE_SHOWN_MAX:
        return text
    closing = '"' if text.startswith('"') else ""
    return f"{text[:VALUE_BEGINNING]}…{closing} ({counted(_length(text), 'character')})"


def _length(text: str) -> int:
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = None
    return len(value) if isinstance(value, str) else len(text)


def _positions(fact: StoredPositions) -> str:
    whole = f"of {counted(fact.events, 'event')}"
    if not fact.stored:
        return f"stored none {whole}" if fact.events > 1 else "stored nothing"
    lost = sorted({*range(1, fact.events + 1)}.difference(fact.stored))
    few, only = (lost, "all but") if len(lost) < len(fact.stored) else (fact.stored, "only")
    shown = ", ".join(map(str, few[:POSITIONS_SHOWN_MAX])) + (", …" if len(few) > POSITIONS_SHOWN_MAX else "")
    return f"stored {only} number{'s' * (len(few) > 1)} {shown} {whole}"


PARTS: Mapping[str, str] = {
    "milliseconds": "milliseconds",
    "case": "case",
    "spaces": "spaces at the end",
    "zeros": "leading zeros",
    "width": "width of characters",
}
"""Parts of a field that a deduplication key may ignore, with the words for them."""


def _keys_on(fact: KeysOn) -> str:
    realistic = f"{fact.events_lost or 'none'} of {fact.events} realistic {fact.event_type}s"
    return (
        f"{_key_of(fact)}: {len(fact.ignored)} of {fact.pairs} pairs of nearly equal events were treated "
        f"as one event, and {realistic} {_be(fact.events_lost or 1)} missing from the store"
    )


def _key_of(fact: KeysOn) -> str:
    if len(fact.fields) <= KEY_FIELDS_SHOWN_MAX:
        # What every event of the type shares, such as the type itself, may be part of the key as well.
        names = _listed([_as_compared(name, fact.ignored) for name in fact.fields])
        return f"deduplicates {fact.event_type}s on no more than {names}"
    return f"deduplicates without {_listed(list(map(_field, fact.ignored)))}"


def _as_compared(name: str, ignored: Sequence[str]) -> str:
    """Return the name of a field, with the part of its value that does not count."""
    lacking = [word for part, word in PARTS.items() if f"{name}.{part}" in ignored]
    return f"{name} (without its {_listed(lacking)})" if lacking else name


def _field(name: str) -> str:
    field, _, part = name.partition(".")
    return f"the {PARTS.get(part, part)} of {field}" if part else field


def _stale(fact: StateIsStale) -> str:
    seen = "there is none" if fact.field is None else f"its {fact.field} is {fact.stated}, not {fact.newest}"
    return (
        f"after older events arrived late, {fact.stale} of {fact.states} end states are not the newest event's: for "
        f"the first, {seen}"
    )


def _lost_in_crash(fact: LostInCrash) -> str:
    if fact.window is None:
        return (
            f"killed {fact.quiet} ms after its last 200, it had lost {fact.lost} of the last "
            f"{counted(fact.events, 'acknowledged event')}"
        )
    stored = fact.quiet if fact.stored_from is None else fact.stored_from
    return (
        f"loses events acknowledged up to {fact.window} ms before it is killed: {fact.lost} of {fact.events} in "
        f"{fact.crashes} crashes (those acknowledged at least {stored} ms before it were stored)"
    )


# Costs and availability


def _costs(fact: Costs) -> str:
    what = "this "
    if fact.of is not None and fact.reply is not None:
        what = f"a {fact.reply.status} to {_stimulus(fact.of)} "
        if fact.reply.status is None:
            what = f"no response to {_stimulus(fact.of)} "
    if not fact.requests:
        return f"{what}costs nothing"
    lost = f"and then Campaign discards {counted(fact.events_lost, 'event')}"
    until = lost if fact.events_lost else "until it is accepted"
    return f"{what}costs {counted(fact.requests, 'request')} and {amount(fact.body_bytes)}, {until}"


def amount(size: int) -> str:
    """Say a number of bytes, rounded."""
    if size >= 1_000_000_000:
        return f"{size / 1_000_000_000:.1f} GB"
    return f"{size // 1_000_000} MB" if size >= 1_000_000 else f"{max(1, size // 1_000)} kB"


def _age_limit(fact: AgeLimit) -> str:
    does = "stored" if fact.is_stored else "accepted"
    if fact.kept is None:
        return f"an event {format_duration(fact.lost)} old, the youngest that was tried, is not {does} either"
    return f"an event {format_duration(fact.kept)} old is {does}, one {format_duration(fact.lost)} old is not"


def _unavailable(fact: Unavailable) -> str:
    first = f", first while {fact.first_rule} was examined" if fact.first_rule else ""
    more = f", then in {counted(fact.more_rules, 'more rule')}" if fact.more_rules else ""
    end = "200 again at the end of the check" if fact.recovered else "still so at the end of the check"
    return f"{_responded(fact.replies)} to a batch of one ordinary event{first}{more}; {end}"


def _poisoned(fact: Poisoned) -> str:
    others = f", after {counted(fact.failed_before, 'other failure')}" if fact.failed_before else ""
    batch = f"{_stimulus(fact.after)} ({_responded(fact.replies)}{others}) while {fact.rule_id} was examined"
    probe = f"its probe fails: {fact.probe}" if fact.probe else ""
    if not fact.since:
        # The batch was the newest one when it was seen, and what others have sent before it may be why.
        if fact.last is not None and {*fact.last.accepted} - {fact.rule_id}:
            return f"after {batch}, {probe}; {_last_reading(fact.last)}"
        return f"after {batch}, {probe}, though it worked before"
    every = f"since {batch}, it {_responded(fact.since)} to every ordinary batch"
    return f"{every}, and {probe}" if probe else every


def _last_reading(last: LastReading) -> str:
    when = f"while {last.rule_id} was examined" if last.rule_id else "before the first rule"
    if not last.accepted:
        return f"it last worked {when}"
    rules = few(last.accepted, SUSPECTS_SHOWN_MAX)
    return f"since it last worked, {when}, the consumer has accepted events of {rules}"


def _capacity(fact: Capacity) -> str:
    drains = f"takes {format_duration(fact.drained)} to drain" if fact.drained is not None else "never drains"
    in_turn = "; webhooks wait for each other" if fact.in_turn else ""
    return (
        f"stores {counted(fact.per_second, 'event')} in a second: the backlog of an outage of "
        f"{format_duration(fact.outage)} at {counted(fact.rate, 'event')} in a second (--rate) {drains}{in_turn}"
    )


# No verdict


def _not_reached(fact: NotReached) -> str:
    match fact.why:
        case "budget":
            return f"not reached within the budget of {format_duration(fact.budget or 0)} (--budget)"
        case "interrupted":
            return "not reached: interrupted"
        case "unavailable":
            return f"not reached: ordinary batches are no longer accepted, see {fact.rule_id}"
        case "poisoned":
            return f"not reached: the consumer rejects every batch since one it could not store, see {fact.rule_id}"
        case "consumer-gone":
            return f"not reached: the consumer was gone after {fact.rule_id}"
        case "still-broken":
            return f"not reached: what {fact.rule_id} broke could not be restored"
        case "basics-violated":
            return f"not reached: all rules depend on {fact.rule_id}, which is violated"
        case "basics-inconclusive":
            return f"not reached: all rules depend on {fact.rule_id}, which is inconclusive"
        case _:
            assert_never(fact.why)


def _unfinished(fact: Unfinished) -> str:
    waiting = "" if fact.waiting is None else f", while it waited for a response to {_stimulus(fact.waiting)}"
    return f"{_cut_short(fact)}{waiting}"


def _cut_short(fact: Unfinished) -> str:
    match fact.why:
        case "budget":
            return f"not finished within the budget of {format_duration(fact.budget or 0)} (--budget)"
        case "share":
            return f"not finished within its share of the budget of {format_duration(fact.budget or 0)} (--budget)"
        case "interrupted":
            return "interrupted while it was examined"
        case _:
            assert_never(fact.why)


def _no_verdict(fact: NoVerdict) -> str:
    match fact.why:
        case "nothing-examined":
            to_do = (
                "give the check the credentials that the consumer demands (--basic-auth or --key-auth)"
                if fact.status in UNAUTHORISED
                else "correct the path of the URL"
                if fact.status in MISDIRECTED
                else ""
            )
            why = f": ordinary batches got {fact.status}, so {to_do}" if to_do else ""
            return f"no rule was examined{why}"
        case "inconclusive":
            return f"{counted(fact.count, 'rule')} inconclusive, first {fact.first}"
        case "must-skipped":
            were = "was" if fact.count == 1 else "were"
            first = fact.first if fact.count == 1 else f"the first is {fact.first}"
            return f"{counted(fact.count, 'must-rule')} {were} skipped, which --strict does not allow: {first}"
        case "nothing-delivered":
            return "nothing was delivered, so nothing was shown"
        case _:
            assert_never(fact.why)


_NEEDS: Mapping[Need, tuple[str, str]] = complete(
    "words for needs",
    get_args(Need),
    {
        "probe": ("a probe", "a probe (--probe)"),
        "probe events": (
            "a probe that reports events",
            "a probe that reports the stored events (--probe, --probe-events)",
        ),
        "state": (
            "a probe of the end state",
            "`--probe-state` (a URL that reports each mail's current state): stored events do not say which one counts",
        ),
        "credentials": ("credentials", "the credentials that the consumer demands (--basic-auth or --key-auth)"),
        "connection": ("a socket", "a consumer behind a socket"),
        "https": ("https", "a target with https"),
        "batches": ("batches", "events that arrive in lists; the captured events arrive one in each body"),
        "break command": (
            "a break command",
            "commands that break something the consumer needs and restore it (--break-cmd and --restore-cmd)",
        ),
        "restart command": ("a restart command", "a command that kills and restarts the consumer (--restart-cmd)"),
    },
)
"""Words for what the check must be given: briefly, and with the option that gives it."""

OUTCOMES: Mapping[Judgement, str] = complete(
    "words for outcomes",
    get_args(Judgement),
    {
        "pass": "passed",
        "fail": "violated",
        "warn": "hazard",
        "not-exercised": "skipped",
        "could-not-tell": "inconclusive",
    },
)
"""Words for the outcomes of rules."""

_CREDENTIALS: dict[str, str] = {
    "no-credentials": "no credentials",
    "another-password": "a wrong password",
    "password-prefix": "the password without its last character",
    "password-plus-character": "the password and one more character",
    "password-plus-space": "the password followed by a space",
    "empty-password": "an empty password",
    "another-user": "a wrong user name",
    "user-in-other-case": "the user name in the other case",
    "password-in-other-case": "the password in the other case",
    "password-letter-in-other-case": "one letter of the password in the other case",
    "another-value": "a wrong key value",
    "value-prefix": "the key value without its last character",
    "value-plus-character": "the key value and one more character",
    "value-in-other-case": "the key value in the other case",
    "token-with-bearer": "the right token under the scheme Bearer",
    "credentials-behind-another-scheme": "the right credentials behind another scheme",
    "token-with-another-scheme": "the right token under another scheme",
    "token-without-scheme": "the right token without its scheme",
    "scheme-without-token": "a scheme without a token",
    "token-not-base64": "a token that is not Base64",
    "token-without-colon": "a token without a colon",
    "token-not-utf-8": "a token that is not UTF-8",
    "value-under-another-name": "the key value under another header name",
    "empty-value": "an empty key value",
    "nearly-right-password": "a nearly right password",
    "right-user-name": "the right user name",
    "nearly-right-value": "a nearly right key value",
}
"""Ways to give credentials, by `Stimulus.variant`."""

_OF_EVERY_BATCH = frozenset({Situation.FIRST_ATTEMPTS, Situation.FIRST_ATTEMPTS_STORED})

SITUATIONS: Mapping[Situation, str] = complete(
    "words for situations",
    Situation,
    {
        Situation.BATCH: "{batch}",
        Situation.ORDINARY_BATCH: "an ordinary batch of {events}",
        Situation.ORDINARY_AFTERWARDS: "an ordinary batch afterwards",
        # Acknowledgement
        Situation.FIRST_ATTEMPTS: "the first attempt of every batch, and 200 to its retry",
        Situation.FIRST_ATTEMPTS_STORED: "the first attempt of every batch although it stored it",
        Situation.SMALL_AFTER_FULL: "a batch of 1 event right after one of 100",
        Situation.WITH_CREDENTIALS: "{batch} with the credentials of this check",
        Situation.WITHOUT_CREDENTIALS: "{batch} without credentials",
        Situation.UNREADABLE_TEXT: "plain text",
        Situation.UNREADABLE_CUT_IN_EVENT: "a batch cut off within an event",
        Situation.UNREADABLE_NO_BRACKET: "a batch without its closing bracket",
        Situation.UNREADABLE_EMPTY: "an empty body",
        Situation.UNREADABLE_CUT_EVENT: "a single event, cut off",
        # Batch
        Situation.BATCH_SIZES: "batches of {sizes}",
        Situation.LONG_EVENTS: "a batch of {events} and {bytes}",
        Situation.IDENTICAL_EVENTS: "a batch that contains one event twice",
        Situation.IDENTICAL_EVENTS_AMONG_OTHERS: "a batch of 4 events, two of them identical",
        Situation.CONCURRENT_BATCHES: "batches of {sizes} from three webhooks at the same moment",
        Situation.SHARED_ROWS: (
            "{times} batches of {events} at the same moment, which name the same mailings and recipients in opposite "
            "order"
        ),
        Situation.MIXED_MAILINGS: "a batch with events of six mailings and three recipient lists",
        Situation.ALL_IDENTICAL: "a batch of 100 identical events",
        # Identity
        Situation.REPEAT_ENGAGEMENT: "more {variant}s of the same mail, 2, 25 and 48 seconds later",
        Situation.SAME_MILLISECOND: "events of four recipients in the same millisecond, some with similar mailIds",
        Situation.ONE_RECIPIENT_MANY_MAILS: "events of one recipient in three mailings",
        Situation.ONE_MAIL_SAME_MILLISECOND: (
            "two pairs of {variant}s, each of one mail in the same millisecond from two devices"
        ),
        Situation.ORDINARY_CLICK: "an ordinary click",
        Situation.ORDINARY_OPEN_AND_CLICK: "an ordinary open and a later click of the same mail",
        Situation.OPEN_AND_CLICK: "an open and a click of one mail in the same millisecond",
        Situation.LATER_ENGAGEMENT: "another {variant} of the same mail exactly {duration} after the first",
        Situation.LATER_ENGAGEMENTS: "more {variant}s of the same mail exactly 1ms, 1h, 12h, 1d and 2d after the first",
        Situation.LONG_RECIPIENT_ENGAGEMENTS: (
            "two {variant}s of one mail in consecutive milliseconds, by a recipient with a long but legal id"
        ),
        Situation.CLICKS_ON_TWO_LINKS: ("two pairs of clicks, each on two links of one mail in the same millisecond"),
        Situation.SIMILAR_RECIPIENTS: (
            "events of {times} pairs of recipients whose ids differ in case, accents, spaces or invisible characters"
        ),
        Situation.ONE_FIELD_DIFFERS: "an event that differs from the one before in {field} alone",
        # Redelivery and overlap
        Situation.REDELIVERED: "the redelivery of {batch} whose response was lost",
        Situation.REDELIVERED_WITH_NEWER: (
            "the redelivery of {batch} whose response was lost, together with newer events"
        ),
        Situation.REDELIVERED_AFTER_TIMEOUT: "the redelivery of {batch} whose response the sender did not wait for",
        Situation.REDELIVERED_AFTER_TRUNCATION: "the redelivery of {batch} whose body was cut off first",
        Situation.REGROUPED: (
            "the redelivery of {batch} whose response was lost, without 2 expired events and with 2 newer ones"
        ),
        Situation.OVERLAPPING: "a batch that begins with {events} of the batch before",
        Situation.REDELIVERED_IDENTICAL: (
            "the redelivery of a batch whose response was lost and which contains one event twice"
        ),
        Situation.REDELIVERED_EDGE_CASE: "the redelivery of an event with {edge_cases} whose response was lost",
        Situation.REDELIVERED_EDGE_CASES: "the redelivery of {batch}, all with unusual fields, whose response was lost",
        Situation.DELIVERED_CONCURRENTLY: "batches of {sizes}, each delivered twice at the same moment",
        Situation.REDELIVERED_AFTER_OTHERS: (
            "the redelivery of {batch} whose response was lost, after {times} other events"
        ),
        Situation.REDELIVERED_LATER: "the redelivery of {batch} {duration} after its response was lost",
        Situation.REDELIVERED_AT_END: (
            "the redelivery, at the end of the check, of {batch} whose response was lost at its beginning"
        ),
        Situation.RETRIED_WHILE_WORKING: (
            "the retry of {batch} while the consumer still worked on it for a sender that had hung up"
        ),
        Situation.RETRIED_AFTER_HANG_UP: "the retries of batches of {sizes} right after the sender hung up",
        # Order
        Situation.OLDER_AFTER_NEWER: "{events} that arrived after newer ones",
        Situation.NEWEST_FIRST: "a batch with its newest event first",
        Situation.CLICK_BEFORE_OPEN: "a click that arrived before its open",
        Situation.OPEN_AFTER_CLICK: "an open that arrived after its click",
        Situation.OUT_OF_ORDER: "the events of {times} mails out of order, some of them redelivered",
        Situation.OLD_EVENTS: "{events} that are almost three days old",
        Situation.EVENT_OF_AGE: "an event that is {duration} old",
        Situation.AHEAD_OF_CLOCK: "an event {duration} ahead of the clock",
        Situation.ORDINARY_HOUR: "an event of 2024",
        Situation.CLOCK_CHANGES: "{events} in hours in which clocks change",
        # Random histories
        Situation.RANDOM_HISTORY: "the history ({steps})",
        # Durability
        Situation.RESTORED: "a fault and its end (--break-cmd and --restore-cmd)",
        Situation.RESTARTED: "a kill and a restart",
        Situation.REDELIVERED_AFTER_RESTART: (
            "the redelivery of {batch} whose response was lost, after a kill and a restart"
        ),
        # Deploy drill
        Situation.AFTER_RESTART_COMMAND: "a batch after the restart at {duration}",
        Situation.AFTER_ROTATION: "a batch after the rotation of the credentials at {duration}",
        Situation.OVER_DEPLOY: "the drill",
        # Payload
        Situation.EDGE_CASE: "an event with {edge_cases}",
        Situation.EDGE_CASES: "a batch of {events}, some of them with {edge_cases}",
        # Bad event
        Situation.GOOD_AROUND_EDGE_CASE: "two good events around one with {edge_cases}",
        Situation.GOOD_AROUND_EDGE_CASES: "a batch of {events}, {times} of them unusual",
        Situation.BAD_EVENT_AMONG_GOOD: "99 good events and one with {edge_cases}",
        Situation.UNSTORABLE_EVENT: "an event with {edge_cases}",
        Situation.NOT_JSON: "a body that is not JSON",
        Situation.NO_LIST: "an object instead of a list",
        # HTTP
        Situation.REQUEST_ON_ONE_CONNECTION: "request {times} on one connection",
        Situation.SEVERAL_ON_ONE_CONNECTION: "{times} of ten requests in a row on one connection",
        Situation.NEW_CONNECTION: "a batch on a new connection, while another one is open",
        Situation.CHUNKED_BODY: "a batch with Transfer-Encoding: chunked",
        Situation.EXPECT_CONTINUE: "a batch with Expect: 100-continue",
        Situation.SPLIT_HEADERS: "a batch whose headers arrive in several packets",
        Situation.UPPER_CASE_HEADERS: "a batch with header names in upper case",
        Situation.SLOW_BODY: "a batch whose body arrives in pieces over a second",
        Situation.CONTENT_TYPE: "a batch with Content-Type: {variant}",
        Situation.METHOD: "a batch sent by {variant}",
        Situation.QUICK_BATCH: "a batch of one of several webhooks at the same moment",
        Situation.STALLED_BATCH: "a batch whose body stalls on its way",
        Situation.QUICK_BESIDE_STALLED: "{times} of three batches of other webhooks while one was still arriving",
        Situation.STALLED_BESIDE_QUICK: "a batch whose body stalled while three batches of other webhooks arrived",
        Situation.QUICK_AFTER_STALLED: "batches of other webhooks only after one whose body stalled for {duration}",
        Situation.OVERSIZED_BODY: "a body of 20 MB that is not a batch",
        Situation.DEEPLY_NESTED_BODY: "a list nested 100,000 levels deep",
        Situation.EVENT_AND_NUMBER: "a batch of a good event and a number",
        Situation.EVENT_AND_LIST: "a batch of a good event and a list",
        Situation.EVENT_AND_TEXT: "a batch of a good event and a text",
        Situation.EVENT_AND_NULL: "a batch of a good event and null",
        Situation.TLS_HANDSHAKE: "a TLS handshake",
        # Authentication
        Situation.CREDENTIALS: "a batch with {credentials}",
        Situation.VALID_AFTER_INVALID: "valid credentials after a request with {credentials}",
        Situation.TIMED_CREDENTIALS: "a request whose response is timed",
        # Resilience
        Situation.NUMBER_AMONG_GOOD: "a batch of {events} and a number",
        Situation.EMPTY_EVENT_AMONG_GOOD: "a batch of {events} and an empty object",
        Situation.EDGE_CASE_AMONG_GOOD: "a batch of {events} and one with {edge_cases}",
        Situation.CUT_EVENT_AMONG_GOOD: "a batch of {events} and one that is cut off",
        Situation.GOOD_EVENTS_REDELIVERED: "its good events were redelivered",
        Situation.ACCEPTED_ON_RETRY: "{batch} that it first rejected and then accepted",
        Situation.REJECTED_BESIDE_ACCEPTED: "the batch it rejects, beside two good ones",
        Situation.ACCEPTED_BESIDE_REJECTED: "batches of {sizes} that it accepted meanwhile",
        Situation.CREATED_AS_TEXT: "a batch of an event whose time is a word",
        Situation.MAIL_ID_ALONE: "a batch of an event with nothing but the id of its mail",
        Situation.NUMBER: "a number",
        Situation.NULL: "null",
        Situation.LIST_OF_LISTS: "a list of lists",
        Situation.CUT_BODY: "a body that is cut off on its way",
        Situation.ORDINARY_AFTER_CUT_BODIES: "an ordinary batch after {times} bodies that were cut off on their way",
        Situation.TIMED_OUT_TWICE: "a batch that had timed out twice",
        Situation.BAD_REQUESTS: "bad requests and truncated bodies",
        Situation.REQUEST_IN_A_ROW: "request {times} in a row",
        Situation.ANOTHER_FULL_BATCH: "a full batch, though it accepted others before",
        Situation.BACKLOG: "an outage of {duration} and its backlog of {events}",
        Situation.PART_OF_BACKLOG: (
            "a batch of the backlog of {events} after an outage of {duration}; it accepted {times} batches before, and "
            "the others wait"
        ),
    },
)
"""Words for each situation; the names in braces are those of `_stimulus`."""

CONFIRMATIONS: Mapping[Confirmation, str] = complete(
    "words for confirmations",
    Confirmation,
    {
        Confirmation.EVERYTHING_ACCEPTED: "responded 200 to everything Campaign may send",
        Confirmation.RESPONDED_TO_UNSTORABLE: "responded to all {count} events that few databases can store",
        Confirmation.COMPLETE_RESPONSES: "sent complete responses to ordinary batches and to bodies it cannot read",
        Confirmation.RESPONDED_IN_TIME: "responded within {duration} to batches of {sizes}",
        Confirmation.NOTHING_REJECTED: "no batch was rejected, so none could leave anything behind",
        Confirmation.REJECTED_LEFT_NOTHING: "left nothing behind of the batches it rejected ({count})",
        Confirmation.ISOLATED_FROM_REJECTED: (
            "stored the batches it accepted while it rejected others ({count}, {times} times each)"
        ),
        Confirmation.NO_BAD_EVENT: "found no event that the consumer rejects",
        Confirmation.UNREADABLE_REJECTED: "rejected all {count} bodies it cannot read",
        Confirmation.CREDENTIALS_REJECTED: "rejected every request ({count})",
        Confirmation.CREDENTIALS_REJECTED_PROPERLY: "responded 401 or 403 in every case ({count})",
        Confirmation.NOTHING_UNAUTHORISED_STORED: "stored nothing of the requests it rejected",
        Confirmation.EQUAL_TIMES: "rejected nearly right credentials no later than wrong ones, within noise",
        Confirmation.METHODS_REJECTED: "accepted no batch by PUT, PATCH, DELETE, GET or HEAD",
        Confirmation.READING_REJECTED: "rejected batches by GET and HEAD",
        Confirmation.CONCURRENT_SERVED: "responded to batches of other webhooks while one was still arriving",
        Confirmation.OVERSIZED_REJECTED: (
            "rejected oversized and deeply nested bodies, and accepted ordinary batches afterwards"
        ),
        Confirmation.CERTIFICATE_VALID: "the certificate is valid for the name, and this machine trusts its authority",
        Confirmation.CERTIFICATE_VALID_BY_CA: (
            "the certificate is valid for the name, and its authority is given by --ca"
        ),
        Confirmation.FIELDS_UNCHANGED: "stored all fields as they were sent",
        Confirmation.EDGE_CASES_ACCEPTED: "accepted {events} with one unusual field each{fields}",
        Confirmation.EDGE_CASES_STORED_ONCE: "stored no event twice that has unusual fields and was redelivered",
        Confirmation.EDGE_CASES_STORED: "stored {events} with one unusual field each{fields}",
        Confirmation.GENERATED_ACCEPTED: "accepted {count} generated batches",
        Confirmation.KEYS_ON_ALL_FIELDS: (
            "stored both of two events that differ in one of {count} fields, if only in case, and each of {times} "
            "redelivered events once"
        ),
        Confirmation.CREATED_STORED_EXACTLY: "stored the time exactly",
        Confirmation.STATES_NEWEST: "{count} end states are the newest event's, though older events arrived after it",
        Confirmation.HISTORIES_ENDED_WELL: "{count} histories of up to {times} steps ended with each event stored once",
        Confirmation.HISTORIES_ENDED_WELL_IN_TIME: (
            "{count} histories, for which there was time, ended with each event stored once (--budget)"
        ),
        Confirmation.DURABLE: (
            "killed while batches arrived, the last one {milliseconds} before, and again {times} ms after the last "
            "one, it had stored everything it acknowledged"
        ),
        Confirmation.STORED_WHILE_BROKEN: (
            "stored the {count} events that it acknowledged around the fault (--break-cmd), rejected batches: {times}"
        ),
        Confirmation.FAULT_NOT_NOTICED: (
            "stored the {count} events that it acknowledged around the fault, but no response changed: see whether the "
            "command (--break-cmd) breaks anything that the consumer needs"
        ),
        Confirmation.STORED_ONLY_AFTER_RESTART: "stored the batch once, after the restart",
        Confirmation.AVAILABLE_THROUGHOUT: "responded 200 to ordinary batches throughout the check",
        Confirmation.RECOVERED: "accepted ordinary batches after bad requests, truncated bodies and time-outs",
        Confirmation.NOTHING_POISONED: "accepted an ordinary batch after each one it could not store",
        Confirmation.NEIGHBOURS_STORED: "stored the good events around the unusual ones it acknowledged",
        Confirmation.CONNECTION_KEPT: (
            "responded to {count} requests in a row, on one connection as long as the consumer keeps it"
        ),
        Confirmation.ONLY_EVENT_STORED: "stored the events alone",
        Confirmation.VALID_CREDENTIALS_ACCEPTED: "responded 200 to valid credentials, also after invalid ones",
        Confirmation.KEEPS_UP: "stores at least {count} events in a second",
        Confirmation.MANY_REQUESTS: "responded 200 to each of {count} batches of one mailing",
        Confirmation.BACKLOG_DRAINED: "accepted a backlog of {count} events after an outage of an hour",
    },
)

PRECONDITIONS: Mapping[Precondition, str] = complete(
    "words for preconditions",
    Precondition,
    {
        Precondition.NO_SUCH_FIELDS: "these {variant} events have no such fields",
        Precondition.NO_DEVICE_FIELDS: "{variant} events say nothing about devices",
        Precondition.NO_FIELD: "no field of these events is a {variant} (`mockcampaign shape` shows which is which)",
        Precondition.NO_SAMPLE_OF_TYPE: "needs a captured {variant}, which shows what such events look like (--like)",
        Precondition.NO_TIME_BETWEEN: "these events' times do not distinguish milliseconds",
        Precondition.DIFFERENT_EVENTS_MERGED: "treats different events as one, see the rules on identity",
        Precondition.STORED_EVENT_NOT_FOUND: ("the probe does not report an acknowledged event, or not by its mail"),
        Precondition.CREATED_NOT_REPORTED: "the probe does not report the time of events (--probe-fields)",
        Precondition.PROBE_SELECTS_EVENTS: "the probe selects events, so it does not report what else is stored",
        Precondition.NOT_SENT_AT_START: "the batch could not be sent at the start of the check",
        Precondition.NO_EDGE_CASE_ACCEPTED_AGAIN: "no batch of edge cases was accepted when it was redelivered",
        Precondition.NO_EDGE_CASE_ACKNOWLEDGED: "no batch with an edge case was acknowledged",
        Precondition.LONGER_BATCH_REJECTED: "a redelivered batch with newer events was rejected",
        Precondition.STATE_LACKS_FIELDS: (
            "the end state has neither the time nor the address, in which the events of a mail differ"
        ),
        Precondition.WEBHOOKS_IN_TURN: "here, webhooks deliver one after another",
        Precondition.IN_PROCESS_IS_NEVER_SLOW: "an application called in-process has no slow connection",
        Precondition.NOTHING_WAS_REJECTED: "no credentials were rejected",
        Precondition.REJECTED_BESIDE_FAILING: "good batches were rejected while others were rejected",
        Precondition.NOT_KILLED: "the consumer kept responding while it was restarted",
        Precondition.NOTHING_ACKNOWLEDGED_BEFORE_CRASH: "no batch was acknowledged before the consumer was killed",
        Precondition.FAULT_NOT_SUPPORTED: "{variant}",
        Precondition.NOTHING_REACHED_CONSUMER: "no attempt reached the consumer",
        Precondition.NOTHING_ROTATED: "no credentials were rotated (--rotate-cmd)",
        Precondition.SINGLE_EDGE_CASE_FAILS: "a single edge case fails already, see the rules on payload",
        Precondition.REJECTED_IS_NOT_LOST: "a rejected batch is not lost",
    },
)
