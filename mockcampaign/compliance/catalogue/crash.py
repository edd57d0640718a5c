"""The consumer is killed, and started again: what it acknowledged must still be there."""

from __future__ import annotations

from mockcampaign.compliance.bench import Bench
from mockcampaign.compliance.rule import Event, Examined, NotExercised, Rule, holds, violated

DELAYS = (0, 20, 100, 500)
"""Milliseconds from the consumer's 200 to its end."""

_LOST = (
    "What is answered with 200 never comes again (vendor's webhook guide): what a crash takes after that is lost for "
    "good."
)


async def _survives(bench: Bench) -> Examined:
    await bench.must_process(3)
    losing: list[int] = []
    lost = 0
    for delay in DELAYS:
        # Again with another number of lists: what is written every so many lists may just have been.
        for sizes in ((1, 3, 2), (4, 2)):
            events = [event for size in sizes for event in await _acknowledged(bench, size)]
            await bench.restart(after=delay)
            difference = await bench.difference_of(events)
            if difference:
                break
        else:
            break
        losing.append(delay)
        lost = len(difference.missing) + len(difference.altered)
    if not losing:
        return holds("killed right after its 200, it had everything that it acknowledged")
    window = f"up to {losing[-1]} ms" if len(losing) < len(DELAYS) else f"even {DELAYS[-1]} ms"
    return violated(f"killed {window} after its 200, it lacks what it acknowledged: {lost} of the last 6 events")


async def _acknowledged(bench: Bench, size: int) -> list[Event]:
    events = bench.events(size)
    await bench.must_deliver(events)
    return events


async def _remembers(bench: Bench) -> Examined:
    await bench.must_process(4)
    events = bench.events(4)
    with bench.fault("lost-ack", times=1):
        bench.emit(events)
        await bench.advance()
    before = await bench.held()
    await bench.restart(after=500)
    delivery = await bench.proceed(attempts=3)
    if not delivery.accepted:
        raise NotExercised(f"the list was not taken when it came again: {delivery.describe()}")
    difference = await bench.difference_of(events)
    if difference.surplus:
        return violated(f"a list of 4 came again after its answer was lost and a restart: {difference.describe()}")
    if not before:
        return holds("the list was not stored before the restart, and once after it")
    return holds("a list of 4 came again after its answer was lost and a restart: each event once")


CRASH = (
    Rule(
        id="keeps-over-crash",
        family="crash",
        level="must",
        title="Keeps what it acknowledged when it is killed",
        requirement=_LOST,
        expected="every acknowledged event in the account after a restart",
        needs=("probe events", "restart command"),
        examine=_survives,
        fix="Commit to disk before the answer; what only memory holds is not stored.",
        example="database.commit()  # fsync is on\nreturn Response(status_code=200)",
        cannot_tell="A crash of the machine, which takes what the system had not written yet.",
        stage=4,
    ),
    Rule(
        id="once-after-crash",
        family="crash",
        level="must",
        title="Knows what it has processed after it was killed",
        requirement="What is not acknowledged comes again every 10 seconds (vendor's webhook guide), also after the "
        "consumer was started anew.",
        expected="each event processed once",
        needs=("probe events", "restart command"),
        rests_on=("once-after-lost-answer", "keeps-over-crash"),
        examine=_remembers,
        fix="Keep the keys of what was processed where the events are, and write both in one transaction.",
        example="INSERT INTO events (key, …) … ON CONFLICT (key) DO NOTHING",
        stage=4,
    ),
)
