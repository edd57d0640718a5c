"""An imaginary consumer that responds 200 to everything, for dry runs."""

from __future__ import annotations

from mockcampaign.faults import LOST, WIRE_FAULTS, CutBody, LostAck, last_of
from mockcampaign.model import Outcome, Request, Responded
from mockcampaign.transport.script import cut_outcome

OK = Responded(200)


class AlwaysOkTransport:
    """Sends nothing. Faults have the outcomes that they have on the wire."""

    faults = WIRE_FAULTS

    async def send(self, request: Request) -> Outcome:
        """Return 200, unless a fault cuts the request or loses the response."""
        cut, lost = last_of(request.faults, CutBody), last_of(request.faults, LostAck)
        if cut is not None:
            return cut_outcome(cut, len(request.body))
        return OK if lost is None else LOST[lost.dropped]

    async def aclose(self) -> None:
        """Do nothing: there is nothing to release."""
