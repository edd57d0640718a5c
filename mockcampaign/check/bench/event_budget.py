"""What a whole check may spend: so many events, as it says when it begins, and so much time on waiting in vain."""

from __future__ import annotations

from mockcampaign.check.examined import NotExercised
from mockcampaign.judging.fact import EventBudgetReached

UNANSWERED_MAX = 2
"""After so many requests that Campaign never sends were left without an answer, the others are waited for less long."""

IMPATIENT_TIMEOUT = 1_000
"""How long, in milliseconds."""


class BoundReachedError(NotExercised):
    """The check has made as many events as it may."""


class TimeIsUpError(BoundReachedError):
    """A rule has searched for as long as it may."""


class EventBudget:
    """What is left of a whole check's. An event that comes again, for whatever reason, counts once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.made = 0
        self.reached: BoundReachedError | None = None
        """Once more would have been needed than there were, there are no more for anybody."""
        self.unanswered = 0
        """Requests that Campaign never sends, and that the consumer left without an answer until the time-out."""

    def take(self, count: int) -> None:
        """So many are about to be made. Raises `BoundReachedError` where there are not as many left."""
        if self.reached is None and self.made + count > self.most:
            self.reached = BoundReachedError(EventBudgetReached(events=self.most))
        if self.reached is not None:
            raise self.reached
        self.made += count

    def timeout(self, usual: int) -> int:
        """How long to wait for the answer to what Campaign never sends. That it may never come is known by now."""
        return min(usual, IMPATIENT_TIMEOUT) if self.unanswered >= UNANSWERED_MAX else usual
