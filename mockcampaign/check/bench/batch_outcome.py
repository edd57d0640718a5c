"""Reading from the newest attempts how the consumer fares."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mockcampaign.engine.journal import Attempted, serials_in
from mockcampaign.faults import FAULTS
from mockcampaign.judging.fact import Died, Reply, Response, Stimulus, replies
from mockcampaign.judging.ledger import Ledger
from mockcampaign.judging.situation import Situation
from mockcampaign.model import CONNECT_PHASES, NoResponse, Outcome, Responded, TimedOut


class BatchOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How delivering one batch ended."""

    outcomes: tuple[Outcome, ...]
    """The outcome of each attempt."""
    accepted: bool
    """Whether the consumer accepted all of the batch."""

    @property
    def last(self) -> Outcome:
        """The outcome of the last attempt."""
        return self.outcomes[-1]

    def response(self, to: Stimulus) -> Response:
        """Return how the consumer responded, as a fact; `to` says what was delivered."""
        return Response(to=to, replies=replies(self.outcomes))


def died_of_batch(ledger: Ledger, webhook_id: int) -> Died | None:
    """Return that the consumer died of the webhook's newest batch, if it did.

    It did if it gave no response to that batch, and accepts no connection since. Who closed the connection does not
    matter: the consumer has to survive either.
    """
    match _newest(ledger, webhook_id):
        case [
            Attempted(outcome=NoResponse() as fatal) as attempt,
            Attempted(outcome=NoResponse() as gone) as last,
        ]:
            if fatal.phase not in CONNECT_PHASES and gone.phase in CONNECT_PHASES and not _is_hindered(last):
                batch = Stimulus(situation=Situation.BATCH, events=len(list(serials_in(attempt.serials))))
                return Died(after=batch, replies=(Reply.of(fatal),), reason=gone.reason)
    return None


def timed_out_twice(ledger: Ledger, webhook_id: int) -> bool:
    """Return whether the consumer itself took too long for the webhook's last two attempts.

    One late response may be the machine's fault. To wait more than twice would only cost the same time again.
    """
    newest = _newest(ledger, webhook_id)
    if newest and newest[-1].count > 1:
        newest = newest[-1:]  # which stands for several equal attempts in succession
    return sum(one.count for one in newest) > 1 and all(
        isinstance(one.outcome, TimedOut) and not one.faults for one in newest
    )


def is_reachable(ledger: Ledger, outcomes: Sequence[Outcome]) -> bool:
    """Return whether any of these outcomes reached the consumer, or a fault kept the newest attempt from it."""
    return _is_hindered(ledger.attempts[-1]) or any(
        isinstance(outcome, Responded) or outcome.phase not in CONNECT_PHASES for outcome in outcomes
    )


def is_received(attempt: Attempted) -> bool:
    """Return whether the consumer received the request of an attempt whole."""
    return isinstance(attempt.outcome, Responded) or (
        attempt.outcome.phase not in CONNECT_PHASES and not _is_hindered(attempt)
    )


def _is_hindered(attempt: Attempted) -> bool:
    return not all(FAULTS[kind].harmless for kind in attempt.faults)


def _newest(ledger: Ledger, webhook_id: int) -> list[Attempted]:
    """Return the last two attempts of all webhooks, older first, without those of other webhooks."""
    return [entry for entry in ledger.attempts[-2:] if entry.webhook_id == webhook_id]
