"""Mistakes of those who write the HTTP server themselves."""

from __future__ import annotations

from collections.abc import Mapping

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.plain_server import Connection, Headers


class ReadsHeadsAtOnce(Connection):
    """Takes what one reading gives for a whole head, with what comes behind it."""

    async def read_head(self) -> bytes:
        head, end, rest = (await self.reader.read(1024 * 1024)).partition(b"\r\n\r\n")
        if not end:
            raise ValueError("not a request")
        self.reader.feed_data(rest)
        return head


class KnowsHeadersBySpelling(Connection):
    def headers(self, lines: list[str]) -> Headers:
        wanted = ("Content-Length", "Content-Type", "Authorization", "Connection", "Expect", "Transfer-Encoding")
        pairs = (line.partition(": ") for line in lines)
        return {name.lower(): value for name, _, value in pairs if name in wanted}


class TakesOneRequest(Connection):
    """Answers a connection's first request, and takes the next one for bytes that do not belong there."""

    requests = 0

    async def read_head(self) -> bytes:
        head = await super().read_head()
        self.requests += 1
        if self.requests > 1:
            raise ValueError("not expected")
        return head


class CutsAnswers(Connection):
    """Closes the connection to a webhook before the rest of the answer is out."""

    cut = False

    async def call(self, method: str, target: str, headers: Headers) -> tuple[int, Headers, bytes]:
        self.cut = method == "POST"
        return await super().call(method, target, headers)

    async def write(self, head: bytes, answer: bytes) -> None:
        await super().write(head, answer[:-1] if self.cut else answer)

    async def exchange(self) -> bool:
        return await super().exchange() and not self.cut


class HangsUpWhenTold(Connection):
    """Takes `Connection: close` for the end of the request's connection, before the answer."""

    async def call(self, method: str, target: str, headers: Headers) -> tuple[int, Headers, bytes]:
        answer = await super().call(method, target, headers)
        if headers.get("connection", "").lower() == "close":
            raise ConnectionAbortedError
        return answer


class HangsUpOnErrors(Connection):
    """Nobody catches what parsing throws, and so the connection ends with it."""

    failed = False

    async def call(self, method: str, target: str, headers: Headers) -> tuple[int, Headers, bytes]:
        answer = await super().call(method, target, headers)
        self.failed = answer[0] == 400
        return answer

    async def write(self, head: bytes, answer: bytes) -> None:
        if not self.failed:
            await super().write(head, answer)

    async def exchange(self) -> bool:
        return await super().exchange() and not self.failed


class LeavesRefusedBodies(Connection):
    async def leave_nothing_unread(self) -> None:
        pass


BUGS: Mapping[str, Bug] = {
    "reads-heads-at-once": Bug(
        "reads a request's head in one go, and answers 400 where it comes in several packets",
        Consumer,
        over_sockets=True,
        connection=ReadsHeadsAtOnce,
    ),
    "knows-headers-by-spelling": Bug(
        "knows headers only as it spells them itself", Consumer, over_sockets=True, connection=KnowsHeadersBySpelling
    ),
    "takes-one-request-for-each-connection": Bug(
        "answers 400 to the second request on a connection", Consumer, over_sockets=True, connection=TakesOneRequest
    ),
    "ends-before-the-answer-ends": Bug(
        "closes the connection after a part of its answer", Consumer, over_sockets=True, connection=CutsAnswers
    ),
    "hangs-up-when-told": Bug(
        "answers 400 to a request with Connection: close, since that is no connection any more",
        Consumer,
        over_sockets=True,
        connection=HangsUpWhenTold,
    ),
    "hangs-up-on-errors": Bug(
        "closes the connection without an answer where it cannot read a body, as nobody catches what parsing throws",
        Consumer,
        over_sockets=True,
        connection=HangsUpOnErrors,
    ),
    "leaves-refused-bodies": Bug(
        "refuses credentials before it reads the body, and takes that for the next request",
        Consumer,
        over_sockets=True,
        connection=LeavesRefusedBodies,
    ),
}
