"""A consumer that reads as h11 does, which is not ours, and remembers what came in, byte by byte and in what order."""

from __future__ import annotations

import asyncio

import h11

from endpoints import OK


class Seen:
    """What came in on one connection."""

    def __init__(self) -> None:
        self.reads: list[bytes] = []
        self.requests: list[tuple[h11.Request, bytes]] = []
        self.end = "open"

    @property
    def raw(self) -> bytes:
        return b"".join(self.reads)

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]


class Consumer:
    """Reads with h11, which is not ours, answers each complete request, and writes down what it sees."""

    def __init__(self, *answers: bytes, answer: bytes = OK, continues: bool = True) -> None:
        """It gives the first `answers` once each, and then always the `answer`."""
        self.connections: list[Seen] = []
        self.requests: list[tuple[h11.Request, bytes]] = []
        """Those that came as a whole, of all connections, in the order in which they came."""
        self._first_answers = list(answers)
        self._open = 0
        self._all_ended = asyncio.Event()
        self._answer = answer
        self._continues = continues

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = Seen()
        self.connections.append(seen)
        self._open += 1
        parser, request, body = h11.Connection(h11.SERVER), None, b""
        try:
            while data := await reader.read(65_536):
                seen.reads.append(data)
                parser.receive_data(data)
                while (event := parser.next_event()) is not h11.NEED_DATA and event is not h11.PAUSED:
                    if isinstance(event, h11.Request):
                        request = event
                        if self._continues and parser.they_are_waiting_for_100_continue:
                            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    elif isinstance(event, h11.Data):
                        body += bytes(event.data)
                    elif isinstance(event, h11.EndOfMessage):
                        assert request is not None
                        seen.requests.append((request, body))
                        self.requests.append((request, body))
                        writer.write(self._first_answers.pop(0) if self._first_answers else self._answer)
                        parser, body = h11.Connection(h11.SERVER), b""
                        break
            seen.end = "fin"
        except ConnectionResetError:
            seen.end = "rst"
        self._open -= 1
        self._all_ended.set()

    async def all_ended(self) -> None:
        """Until every connection has come to its end."""
        while self._open:
            self._all_ended.clear()
            await self._all_ended.wait()
