"""How many events a check may make: it says so when it begins, and stops making any when there are no more to come."""

from __future__ import annotations

from mockcampaign.compliance.rule import NotExercised


class BoundReachedError(NotExercised):
    """The check has made as many events as it may."""


class Allowance:
    """What is left of a whole check's events. One that comes again, for whatever reason, counts once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.made = 0
        self.reached: BoundReachedError | None = None
        """Once more would have been needed than there were, there are no more for anybody."""

    def take(self, count: int) -> None:
        """So many are about to be made. Raises `BoundReachedError` where there are not as many left."""
        if self.reached is None and self.made + count > self.most:
            self.reached = BoundReachedError(f"the bound of {self.most:,} events is reached (--events)")
        if self.reached is not None:
            raise self.reached
        self.made += count
