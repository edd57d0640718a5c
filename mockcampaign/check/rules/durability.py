"""The consumer is killed, and started again: what it acknowledged must still be there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.rule import Event, Examined, NotExercised, Rule, Stage, holds, violated
from mockcampaign.errors import CouldNotTellError
from mockcampaign.model import Responded
from mockcampaign.wallclock import Stopwatch, pause

QUIET = 500
"""Milliseconds from the last 200 to the consumer's end, after which everything should long be stored."""

STREAMS = 3
"""So many times is it killed while lists come."""

STREAM = 600
"""Milliseconds for which lists come before it is killed."""

PAUSE = 3
"""Milliseconds between two of them, and so about how exactly the losing window is told."""

LISTS_MAX = 2_000
"""So many lists at most, if nothing kills it."""

_KILLED = (
    "The consumer has to be killed and started again meanwhile: `mockcampaign check` with --restart-cmd and --rules "
    "crash shows it again."
)

_LOST = (
    "What is answered with 200 never comes again (vendor's webhook guide): what a crash takes after that is lost for "
    "good."
)


async def _survives(bench: Bench) -> Examined:
    await bench.must_process(3)
    # Twice, with another number of lists: what is written every so many lists may just have been.
    for sizes in ((1, 3, 2), (4, 2)):
        events = [event for size in sizes for event in await _acknowledged(bench, size)]
        await bench.restart(after=QUIET)
        difference = await bench.store.difference_of(events)
        if difference:
            lost = len(difference.missing) + len(difference.altered)
            return violated(
                f"killed even {QUIET} ms after its 200, it lacks what it acknowledged: {lost} of the last 6 events",
                found="lacks what it acknowledged, however long before it was killed",
                unrepeatable=_KILLED,
            )
    kept: list[int] = []
    lost_ages: list[int] = []
    for _ in range(STREAMS):
        ages = await _killed_while_lists_come(bench)
        lacking = await _lacking(bench, [event for event, _ in ages])
        for event, age in ages:
            (lost_ages if event["mailId"] in lacking else kept).append(age)
    if not lost_ages:
        return holds(
            f"killed while lists came, the last of them {min(kept)} ms before, and again {QUIET} ms after the last, it "
            "had everything that it acknowledged"
        )
    losing, keeping = losing_window(lost_ages, kept)
    until = f"kept from {keeping} ms on" if keeping is not None else f"kept {QUIET} ms after the last"
    return violated(
        f"loses what it acknowledged up to {losing} ms before it is killed ({until}): "
        f"{len(lost_ages)} of {len(lost_ages) + len(kept)} lists in {STREAMS} crashes",
        found="lacks what it acknowledged shortly before it was killed",
        unrepeatable=_KILLED,
    )


def losing_window(lost: Iterable[int], kept: Iterable[int]) -> tuple[int, int | None]:
    """The greatest age at which something was lost, and the least beyond it at which something was kept, if any.

    What lies between the two is not known. That whatever is older was kept, too, is what was seen, not assumed.
    """
    losing = max(lost)
    return losing, min((age for age in kept if age > losing), default=None)


async def _killed_while_lists_come(bench: Bench) -> list[tuple[Event, int]]:
    """What was acknowledged, and how many milliseconds before the consumer's end.

    Raises `NotExercised` where its end is not seen, since it never fails to answer.
    """
    watch = Stopwatch()
    acknowledged: list[tuple[Event, int]] = []
    restarted = asyncio.Event()

    async def send() -> int:
        """Returns when the consumer was gone."""
        for _ in range(LISTS_MAX):
            if restarted.is_set():
                raise NotExercised("the consumer went on answering while it was restarted")
            event = bench.event()
            try:
                delivery = await bench.deliver([event])
            except CouldNotTellError:
                bench.give_up()
                return watch.milliseconds
            if delivery.accepted:
                acknowledged.append((event, watch.milliseconds))
            elif not isinstance(delivery.last, Responded):
                return watch.milliseconds
            await pause(PAUSE)
        raise NotExercised(f"the consumer was not gone within {LISTS_MAX:,} lists")

    sending = asyncio.ensure_future(send())
    try:
        await pause(STREAM)
        await bench.restart(after=0)
        restarted.set()
        gone = await sending
    finally:
        sending.cancel()
    if not acknowledged:
        raise NotExercised("no list was acknowledged before the consumer was killed")
    return [(event, gone - at) for event, at in acknowledged]


async def _lacking(bench: Bench, events: list[Event]) -> set[str]:
    """mailIds of those that are not in the account as they were sent."""
    difference = await bench.store.difference_of(events)
    lost = [*difference.missing, *(sent for sent, _ in difference.altered)]
    return {msgspec.json.decode(event)["mailId"] for event in lost}


async def _acknowledged(bench: Bench, size: int) -> list[Event]:
    events = bench.events(size)
    await bench.must_deliver(events)
    return events


async def _remembers(bench: Bench) -> Examined:
    await bench.must_process(4)
    await _killed_while_lists_come(bench)  # the command does kill it, or this would show nothing
    events = bench.events(4)
    with bench.fault("lost-ack", times=1):
        bench.emit(events)
        await bench.advance()
    before = await bench.store.held()
    await bench.restart(after=500)
    delivery = await bench.proceed(attempts=3)
    if not delivery.accepted:
        raise NotExercised(f"the list was not taken when it came again: {delivery.describe()}")
    difference = await bench.store.difference_of(events)
    if difference.surplus:
        return violated(
            f"a list of 4 came again after its answer was lost and a restart: {difference.describe()}",
            unrepeatable=_KILLED,
        )
    if not before:
        return holds("the list was not stored before the restart, and once after it")
    return holds("a list of 4 came again after its answer was lost and a restart: each event once")


CRASH = (
    Rule(
        id="durable-over-crash",
        family="crash",
        level="must",
        title="Keeps what it acknowledged when it is killed",
        requirement=_LOST,
        expected="every acknowledged event in the account after a restart",
        needs=("probe events", "restart command"),
        examine=_survives,
        fix="Commit to disk before the answer; what only memory holds is not stored.",
        example="database.commit()  # fsync is on\nreturn Response(status_code=200)",
        not_covered="A crash of the machine, which takes what the system had not written yet; and windows that these "
        "crashes happened not to hit, such as those of something that is done every minute.",
        stage=Stage.END,
    ),
    Rule(
        id="deduplicates-over-crash",
        family="crash",
        level="must",
        title="Knows what it has processed after it was killed",
        requirement="What is not acknowledged comes again every 10 seconds (vendor's webhook guide), also after the "
        "consumer was started anew.",
        expected="each event processed once",
        needs=("probe events", "restart command"),
        depends_on=("once-after-lost-response", "durable-over-crash"),
        examine=_remembers,
        fix="Keep the keys of what was processed where the events are, and write both in one transaction.",
        example="INSERT INTO events (key, …) … ON CONFLICT (key) DO NOTHING",
        stage=Stage.END,
    ),
)
