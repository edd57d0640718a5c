"""Recording what a bench does, so that a violation can be reproduced."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mockcampaign.check.reproduce.scenario_writer import ScenarioWriter
from mockcampaign.check.reproduce.transcript import Transcript
from mockcampaign.shape.shape import Shape
from mockcampaign.transport import Transport


class Recording:
    """The requests and the scenario steps that show what a bench did."""

    def __init__(self, transport: Transport, start: int, shape: Shape) -> None:
        """`start` is the bench's first moment, in milliseconds since 1970."""
        self.transcript = Transcript(transport)
        self.scenario = ScenarioWriter(start, shape)
        self.serials: set[int] = set()
        """Serials of the events that the scenario emits."""

    @property
    def is_paused(self) -> bool:
        """Whether steps are left out at this moment."""
        return self.scenario.paused

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what happens meanwhile, since it is no part of what shows a violation."""
        self.scenario.paused = self.transcript.paused = True
        try:
            yield
        finally:
            self.scenario.paused = self.transcript.paused = False
