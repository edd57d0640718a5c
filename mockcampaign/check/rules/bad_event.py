"""Bad events: one event among others that the consumer cannot handle, and what every status but 200 costs."""

from __future__ import annotations

import msgspec

from mockcampaign.check import edge_cases
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_deliver, must_store
from mockcampaign.check.bench.price import never_responds, price, waited
from mockcampaign.check.bench.raw_request import send_request
from mockcampaign.check.edge_cases import EdgeCase
from mockcampaign.check.examined import Examined, SkipRule, failed, passed
from mockcampaign.check.reproduce.curl import curl, giving_up
from mockcampaign.check.rule import Rule, Stage
from mockcampaign.judging.fact import (
    AnyFact,
    BlocksOthers,
    Confirmation,
    Confirmed,
    Costs,
    NeverResponds,
    Precondition,
    Reply,
    Response,
    Stimulus,
    Unmet,
)
from mockcampaign.judging.situation import Situation
from mockcampaign.model import CONNECT_PHASES, TimedOut
from mockcampaign.shape.field import Event

_BLOCKS = (
    "Campaign acknowledges a batch as a whole, or retries all of it every 10 seconds until its events expire after "
    "three days (vendor's webhook guide)."
)

ATTEMPTS = 12
"""Failures after which a consumer that drops a whole batch and responds 200 will most likely have done so."""

NEIGHBOURS_BATCH = 30
"""Number of edge cases in one batch among good events."""


def _candidates(bench: Bench) -> list[EdgeCase]:
    """Return edge cases of each kind, to find what the consumer cannot handle."""
    makers = (*edge_cases.ALL, edge_cases.control_characters)
    return [case for make in makers for case in bench.edge_cases(make) if not case.guessed]


async def _bad_event(bench: Bench) -> EdgeCase | None:
    """Return an edge case that makes the consumer reject its event, or to which it does not respond."""
    if bench.incidents.without_response:
        return bench.incidents.without_response[0]
    cases = _candidates(bench)
    for at in range(0, len(cases), 100):
        part = cases[at : at + 100]
        if (await bench.deliver([case.applied(bench.event()) for case in part])).accepted:
            continue
        for case in part:
            delivery = await bench.deliver([case.applied(bench.event())])
            if isinstance(delivery.last, TimedOut):
                bench.incidents.without_response.append(case)
            if not delivery.accepted:
                return case
    return None


async def _responds_to_unstorable(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(1))
    cases = bench.edge_cases(edge_cases.unstorable)
    for case in cases:
        stimulus = Stimulus(situation=Situation.UNSTORABLE_EVENT, edge_cases=(case.seen(),))
        body = bench.body_of([case.applied(bench.event())])
        outcome = await send_request(bench, stimulus, body)
        if isinstance(outcome, TimedOut) and outcome.phase not in CONNECT_PHASES:
            await must_deliver(bench, bench.events(1))  # or it has stopped for another reason
            command = giving_up(curl(bench.endpoint, body), bench.settings.timeout)
            response = Response(to=stimulus, replies=(Reply.of(outcome),))
            return failed(response, never_responds(bench), curl=command)
    return passed(Confirmed(what=Confirmation.RESPONDED_TO_UNSTORABLE, count=len(cases)))


RESPONDS_TO_UNSTORABLE_EVENT = Rule(
    id="responds-to-unstorable-event",
    family="bad event",
    level="must",
    title="Responds to events that it cannot store",
    requirement=f"{_BLOCKS} An attempt without a response lasts until the time-out (assumed), and holds a connection "
    "of the consumer as long.",
    expected="a response, 200 or an error status, to an event without time, key or a number",
    examine=_responds_to_unstorable,
    assumes=("retry", "time-out"),
    fix="Pass every error on to whatever writes the response: in Express 4, an async handler needs try/catch and "
    "next(error), or its rejected promise ends nowhere.",
    example="app.post('/hook', (req, res, next) => handle(req, res).catch(next))",
    about="responses",
    stage=Stage.BAD_REQUESTS,
)


async def _stores_neighbours(bench: Bench) -> Examined:
    """Deliver good events around an edge case, in a batch that the consumer acknowledges, perhaps after failures."""
    await must_store(bench, 3)
    cases = _candidates(bench)
    acknowledged = 0
    for at in range(0, len(cases), NEIGHBOURS_BATCH):
        part = cases[at : at + NEIGHBOURS_BATCH]
        accepted, facts, events = await _lost_neighbours(bench, part)
        acknowledged += accepted
        if facts:
            for case in part:
                _, alone, few = await _lost_neighbours(bench, [case])
                if alone:
                    return failed(*alone, batches=[few])
            return failed(*facts, batches=[events])
    if not acknowledged:
        raise SkipRule(Unmet(why=Precondition.NO_EDGE_CASE_ACKNOWLEDGED))
    return passed(Confirmed(what=Confirmation.NEIGHBOURS_STORED))


async def _lost_neighbours(bench: Bench, cases: list[EdgeCase]) -> tuple[bool, tuple[AnyFact, ...], list[Event]]:
    """Return whether the batch was acknowledged, what is wrong with its good events if so, and the batch."""
    good: list[Event] = []
    events: list[Event] = []
    for case in cases:
        before, after = bench.events(2)
        good += [before, after]
        events += [before, case.applied(bench.event()), after]
    delivery = await bench.deliver(events, attempts=ATTEMPTS)
    if not delivery.accepted:
        return False, (), events
    difference = await bench.store.difference_of(good)
    if not difference:
        return True, (), events
    around = Stimulus(
        situation=Situation.GOOD_AROUND_EDGE_CASE if len(cases) == 1 else Situation.GOOD_AROUND_EDGE_CASES,
        events=len(events),
        times=len(cases),
        edge_cases=tuple(case.seen() for case in cases[:1]) if len(cases) == 1 else (),
    )
    return True, (delivery.response(around), difference.seen(around)), events


ISOLATES_BAD_EVENT = Rule(
    id="isolates-bad-event",
    family="bad event",
    level="must",
    title="Stores the good events around one it cannot handle",
    requirement="Campaign never resends a batch after 200, nor any of its events (vendor's webhook guide).",
    expected="every good event of an acknowledged batch stored",
    needs=("probe events", "batches"),
    depends_on=("stores-every-event",),
    examine=_stores_neighbours,
    assumes=("batch", "fields"),
    fix="Set the bad event aside (dead-letter table) and continue with the next one. If a transaction fails, roll it "
    "back and do not respond 200.",
    example="for event in events:\n    try: store(event)\n    except ValueError: dead_letters.append(event)",
)


def _without_response(bench: Bench, case: EdgeCase) -> tuple[Response, NeverResponds]:
    """Return that there is no response to an edge case, as another rule has seen."""
    stimulus = Stimulus(situation=Situation.EDGE_CASE, events=1, edge_cases=(case.seen(),))
    return Response(to=stimulus, replies=(Reply.of(TimedOut("wait")),)), never_responds(bench)


async def _delays(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(100))
    bad = await _bad_event(bench)
    if bad is None:
        return passed(Confirmed(what=Confirmation.NO_BAD_EVENT))
    if bad in bench.incidents.without_response:
        return failed(*_without_response(bench, bad), batches=[[bad.applied(bench.event())]])
    events = [*bench.events(50), bad.applied(bench.event()), *bench.events(49)]
    delivery = await bench.deliver(events, attempts=3)
    among = Stimulus(situation=Situation.BAD_EVENT_AMONG_GOOD, events=100, edge_cases=(bad.seen(),))
    response = delivery.response(among)
    if delivery.accepted:
        return passed(response)
    others = bench.events(100)
    costs = await price(bench, events, behind=others)
    return failed(response, costs, BlocksOthers(events=len(others), milliseconds=waited(bench)), batches=[events])


BAD_EVENT_BLOCKS_NOTHING = Rule(
    id="bad-event-blocks-nothing",
    family="bad event",
    level="should",
    title="One event it cannot handle delays no others",
    requirement=_BLOCKS,
    expected="200 to the batch, and the one event set aside",
    needs=("batches",),
    examine=_delays,
    assumes=("batch", "retry", "discard", "fields"),
    fix="Set the bad event aside, store the others, and respond 200.",
    example="except ValidationError: dead_letters.append(event)",
    about="responses",
)


async def _accepts_whatever(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(1))
    facts: list[AnyFact] = []
    rejected: list[list[Event]] = []
    seen: set[tuple[Reply, ...]] = set()
    batches: list[tuple[Stimulus, list[Event]]] = [
        (Stimulus(situation=Situation.BATCH, events=100), bench.events(100)),
        (Stimulus(situation=Situation.ALL_IDENTICAL, events=100), [bench.event()] * 100),
    ]
    bad = await _bad_event(bench)
    if bad in bench.incidents.without_response:
        facts += _without_response(bench, bad)
        rejected.append([bad.applied(bench.event())])
    elif bad is not None:
        stimulus = Stimulus(situation=Situation.EDGE_CASE, events=1, edge_cases=(bad.seen(),))
        batches.append((stimulus, [bad.applied(bench.event())]))
    for stimulus, events in batches:
        delivery = await bench.deliver(events)
        response = delivery.response(stimulus)
        if delivery.accepted or response.replies in seen:
            continue
        seen.add(response.replies)
        rejected.append(events)
        facts.append(await price(bench, events, of=stimulus, reply=response.replies[-1]))
    free = await _costs_nothing(bench)
    if facts:
        return failed(*facts, *free, batches=rejected)
    return passed(Confirmed(what=Confirmation.EVERYTHING_ACCEPTED), *free)


async def _costs_nothing(bench: Bench) -> list[Costs]:
    """Return how the consumer responds to requests that Campaign never sends, which cost nothing."""
    seen = []
    # Where the captured bodies are no lists, one event is what Campaign sends.
    no_list = (
        [(Situation.NO_LIST, msgspec.json.encode(bench.shape.examples[0]))] if bench.shape.body.prefix == "[" else []
    )
    for situation, body in (
        (Situation.NOT_JSON, b"hello"),
        *no_list,
        (Situation.UNREADABLE_EMPTY, b""),
    ):
        stimulus = Stimulus(situation=situation)
        outcome = await send_request(bench, stimulus, body)
        seen.append(Costs(of=stimulus, reply=Reply.of(outcome)))
    return seen


ACCEPTS_WHATEVER_CAMPAIGN_SENDS = Rule(
    id="accepts-whatever-campaign-sends",
    family="cost of failure",
    level="should",
    title="Responds 200 to everything Campaign may send",
    requirement=_BLOCKS,
    expected="200, since every other status has its cost",
    examine=_accepts_whatever,
    assumes=("batch", "retry", "discard", "fields"),
    depends_on=("acknowledges-first-attempt",),
    fix="Reject only what a retry can cure: respond 503 while the database is down, but never because of what an event "
    "contains.",
    example="except DatabaseDown: return Response(status_code=503)",
    about="responses",
    stage=Stage.FAILURES,
)

BAD_EVENT = (ISOLATES_BAD_EVENT, BAD_EVENT_BLOCKS_NOTHING, RESPONDS_TO_UNSTORABLE_EVENT)

COST_OF_FAILURE = (ACCEPTS_WHATEVER_CAMPAIGN_SENDS,)
