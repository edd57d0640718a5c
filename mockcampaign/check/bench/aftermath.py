"""What becomes of an ordinary batch after something that Campaign never sends."""

from __future__ import annotations

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.rule_store import body_of
from mockcampaign.check.examined import Examined, failed
from mockcampaign.check.reproduce.curl import curl
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.fact import Died, Reply, Response, Stimulus
from mockcampaign.judging.situation import Situation
from mockcampaign.model import Outcome

ORDINARY = Stimulus(situation=Situation.ORDINARY_AFTERWARDS)


async def aftermath(
    bench: Bench,
    before: Stimulus,
    outcome: Outcome | None = None,
    command: str | None = None,
    *,
    ordinary: Stimulus = ORDINARY,
) -> Examined | None:
    """Return the violation, if an ordinary batch is no longer accepted.

    `before` says what came before it and `outcome` how the consumer responded to that; `command` sends it. Where there
    is no such outcome, `ordinary` says after what the ordinary batch is sent.

    A consumer that was there until then, and is gone, has died of it: that is no trouble of ours.
    """
    events = bench.events(2)
    commands = None
    if command is not None:
        commands = f"{command}\n{curl(bench.url, body_of(events), bench.settings.authentication)}"
    replied = () if outcome is None else (Reply.of(outcome),)
    try:
        delivery = await bench.deliver(events, attempts=3)
    except CouldNotTellError as gone:
        return failed(Died(after=before, replies=replied, reason=str(gone)), curl=commands)
    if delivery.accepted:
        return None
    seen = (Response(to=before, replies=replied),) if replied else ()
    return failed(*seen, delivery.response(ordinary), curl=commands)
