"""Bugs of developers who write the HTTP server themselves."""

from __future__ import annotations

from collections.abc import Mapping

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.plain_server import Headers, PlainConnection


class ReadsHeadOnce(PlainConnection):
    """Treats the first packet as the whole head."""

    async def read_head(self) -> bytes:
        head, end, rest = (await self.reader.read(1024 * 1024)).partition(b"\r\n\r\n")
        if not end:
            raise ValueError("not a request")
        self.reader.feed_data(rest)
        return head


class ComparesHeaderCase(PlainConnection):
    def headers(self, lines: list[str]) -> Headers:
        wanted = ("Content-Length", "Content-Type", "Authorization", "Connection", "Expect", "Transfer-Encoding")
        pairs = (line.partition(": ") for line in lines)
        return {name.lower(): value for name, _, value in pairs if name in wanted}


class AcceptsOneRequestPerConnection(PlainConnection):
    """Handles the first request of a connection, and treats the next one as bytes that do not belong there."""

    requests = 0

    async def read_head(self) -> bytes:
        head = await super().read_head()
        self.requests += 1
        if self.requests > 1:
            raise ValueError("unexpected bytes")
        return head


class TruncatesResponse(PlainConnection):
    """Closes the connection before the last byte of the response is sent."""

    cut = False

    async def call(self, method: str, target: str, headers: Headers) -> tuple[int, Headers, bytes]:
        self.cut = method == "POST"
        return await super().call(method, target, headers)

    async def write(self, head: bytes, body: bytes) -> None:
        await super().write(head, body[:-1] if self.cut else body)

    async def exchange(self) -> bool:
        return await super().exchange() and not self.cut


class RejectsConnectionClose(PlainConnection):
    """Treats `Connection: close` as a connection that is closed already, and does not respond."""

    async def call(self, method: str, target: str, headers: Headers) -> tuple[int, Headers, bytes]:
        response = await super().call(method, target, headers)
        if headers.get("connection", "").lower() == "close":
            raise ConnectionAbortedError
        return response


class DisconnectsOnParseError(PlainConnection):
    """Catches no exception of the parser, so the connection ends with it."""

    failed = False

    async def call(self, method: str, target: str, headers: Headers) -> tuple[int, Headers, bytes]:
        response = await super().call(method, target, headers)
        self.failed = response[0] == 400
        return response

    async def write(self, head: bytes, body: bytes) -> None:
        if not self.failed:
            await super().write(head, body)

    async def exchange(self) -> bool:
        return await super().exchange() and not self.failed


class LeavesRejectedBodyUnread(PlainConnection):
    async def leave_nothing_unread(self) -> None:
        pass


BUGS: Mapping[str, Bug] = {
    "reads-head-once": Bug(
        "Reads the head of a request in one go, and responds 400 if it arrives in several packets.",
        Consumer,
        over_sockets=True,
        connection=ReadsHeadOnce,
    ),
    "compares-header-case": Bug(
        "Compares the names of headers case-sensitively.", Consumer, over_sockets=True, connection=ComparesHeaderCase
    ),
    "accepts-one-request-per-connection": Bug(
        "Responds 400 to the second request on a connection.",
        Consumer,
        over_sockets=True,
        connection=AcceptsOneRequestPerConnection,
    ),
    "truncates-response": Bug(
        "Closes the connection before the whole response is sent.",
        Consumer,
        over_sockets=True,
        connection=TruncatesResponse,
    ),
    "rejects-connection-close": Bug(
        "Treats Connection: close as the end of the connection, and responds 400.",
        Consumer,
        over_sockets=True,
        connection=RejectsConnectionClose,
    ),
    "disconnects-on-parse-error": Bug(
        "Closes the connection without a response when it cannot parse a body.",
        Consumer,
        over_sockets=True,
        connection=DisconnectsOnParseError,
    ),
    "leaves-rejected-body-unread": Bug(
        "Rejects credentials before it reads the body, and parses the body as the next request.",
        Consumer,
        over_sockets=True,
        connection=LeavesRejectedBodyUnread,
    ),
}
