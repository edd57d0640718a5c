"""A consumer that answers 200 to everything, and is not there: for plans that are only looked at."""

from __future__ import annotations

from mockcampaign.faults import WIRE_FAULTS, CutBody, LostAck, last_of
from mockcampaign.model import Outcome, Request, Responded
from mockcampaign.transport.script import LOST, cut_outcome

OK = Responded(200)


class IdealTransport:
    """Touches nothing. Faults come to what they would come to on the wire."""

    faults = WIRE_FAULTS

    async def send(self, request: Request) -> Outcome:
        """200, unless a fault keeps the answer or the request back."""
        cut, lost = last_of(request.faults, CutBody), last_of(request.faults, LostAck)
        if cut is not None:
            return cut_outcome(cut, len(request.body))
        return OK if lost is None else LOST[lost.dropped]

    async def aclose(self) -> None:
        """Nothing is held."""
