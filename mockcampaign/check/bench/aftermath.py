"""Whether an ordinary batch is still accepted after a request that Campaign never sends."""

from __future__ import annotations

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.context import Poison
from mockcampaign.check.examined import Examined, Unrepeatable, failed
from mockcampaign.check.reproduce.curl import curl
from mockcampaign.errors import ConsumerUnreachableError
from mockcampaign.judging.fact import Died, Reply, Response, Stimulus
from mockcampaign.judging.situation import Situation
from mockcampaign.model import Outcome


def since_poison(bench: Bench, poison: Poison) -> Examined:
    """Return the violation that the consumer has not recovered from a batch or another request."""
    if poison.commands is not None:
        ordinary = curl(bench.endpoint, bench.body_of(bench.events(1)))
        return failed(poison.fact, curl=f"{poison.commands}\n{ordinary}")
    if not poison.events:
        return failed(poison.fact, is_hazard=not poison.fact.since, unrepeatable=Unrepeatable.WHOLE_CHECK)
    bench.last_accepted = False  # both batches were rejected, by which anybody sees the violation
    return failed(poison.fact, batches=[poison.events, bench.events(1)])


ORDINARY = Stimulus(situation=Situation.ORDINARY_AFTERWARDS)


async def aftermath(
    bench: Bench,
    before: Stimulus,
    outcome: Outcome | None = None,
    command: str | None = None,
    *,
    ordinary: Stimulus = ORDINARY,
) -> Examined | None:
    """Return a violation if an ordinary batch is no longer accepted, or None.

    `before` describes the request that was sent before it, `outcome` is how the consumer responded to that, and
    `command` sends it. If there is no such outcome, `ordinary` describes the batch by what was sent before it.

    A consumer that could be reached until then, and no longer can, has died of that request: it is a violation, and
    no reason to call the result inconclusive.
    """
    events = bench.events(2)
    commands = None
    if command is not None:
        commands = f"{command}\n{curl(bench.endpoint, bench.body_of(events))}"
    replied = () if outcome is None else (Reply.of(outcome),)
    try:
        delivery = await bench.deliver(events, attempts=3)
    except ConsumerUnreachableError as gone:
        return failed(Died(after=before, replies=replied, reason=str(gone)), curl=commands)
    if delivery.accepted:
        return None
    seen = (Response(to=before, replies=replied),) if replied else ()
    return failed(*seen, delivery.response(ordinary), curl=commands)
