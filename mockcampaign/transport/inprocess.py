"""Calls an ASGI or WSGI application in this process, without sockets, as a server would call it."""

from __future__ import annotations

import asyncio
import io
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any
from urllib.parse import unquote

from mockcampaign.faults import LOST, Chunked, ContentType, CutBody, HeaderCase, Http10, LostAck, last_of
from mockcampaign.model import ACKNOWLEDGEMENT, Fault, NoResponse, Outcome, Request, Responded, TimedOut
from mockcampaign.transport import kept_headers
from mockcampaign.transport.address import parse_address
from mockcampaign.transport.idle_watch import Watch
from mockcampaign.transport.response import BODY_BYTES_MAX, CUT, RESPONSE_TOO_LONG
from mockcampaign.transport.script import cut_outcome, header_fields

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Any, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]

PORTS = range(49_152, 65_536)
"""Ports from which systems choose those of clients (RFC 6335): an application sees a connection by its port."""

_SERVER_ERROR_BODY = b"Internal Server Error"

TIMEOUT_STEPS = 8
"""Parts of a time-out, each of which begins after the one before.

The application runs in this process: if the machine stops the process for a while, the application has not had that
time. However long such a moment is, it counts as one step.
"""

_logger = logging.getLogger(__name__)


class AsgiTransport:
    """Calls an ASGI 3 application, which is started (lifespan) before its first request and stopped by `aclose`.

    Use and close it within one event loop.
    """

    # The faults that an application notices behind a server. Header names arrive in lower case whatever was sent
    # (ASGI), and as CGI variables (WSGI).
    faults: frozenset[type[Fault]] = frozenset({Chunked, ContentType, CutBody, HeaderCase, Http10, LostAck})

    def __init__(self, app: AsgiApp, *, lifespan: bool = True) -> None:
        """Without `lifespan`, somebody else starts and stops the application."""
        self._app = app
        self._lifespan = _Lifespan(app) if lifespan else None
        self._calls: set[asyncio.Task[None]] = set()
        self._idle_ports: list[int] = []
        """Ports of connections that a sender would have kept, the one that was used last at the end."""
        self._ports = itertools.cycle(PORTS)
        self._starting: asyncio.Task[bool] | None = None
        self._watch: Watch | None = None

    async def send(self, request: Request) -> Outcome:
        """Return the outcome of the request; see `Transport.send`.

        As with a server, an exception in the application is status 500, and its traceback is logged. After the response
        or the time-out the application may continue in the background; it learns that the sender has gone. A
        `BaseException` such as KeyboardInterrupt is raised here.
        """
        port = self._idle_ports.pop() if self._idle_ports else next(self._ports)
        exchange = _Exchange(request, port)
        state: dict[str, Any] = {}
        if self._lifespan is not None:
            if self._starting is None:
                self._starting = asyncio.create_task(self._start(self._lifespan))
            if not (self._starting.result() if self._starting.done() else await asyncio.shield(self._starting)):
                return NoResponse("connect", "the application does not start")
            state = self._lifespan.state
        call = asyncio.create_task(exchange.run(self._app, state.copy()))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        call.add_done_callback(exchange.ended)
        exchange.wait_at_most(request.timeout / 1_000)
        try:
            outcome = await exchange.outcome
        finally:
            exchange.wait_no_longer()
        if isinstance(outcome, Responded) and not last_of(request.faults, Http10):
            self._idle_ports.append(port)
        return outcome

    def watch(self) -> None:
        """Count tasks that start in this loop from now on as the application's; `settle` waits for them."""
        if self._watch is None:
            self._watch = Watch()
        self._watch.begin()

    async def settle(self, seconds: float) -> None:
        """Wait until the application has nothing left to do, as far as that can be seen; so many seconds at most."""
        if self._watch is not None:
            await self._watch.settle(self._calls, seconds)

    async def aclose(self) -> None:
        """Cancel what the application still does, then stop it."""
        tasks = [*self._calls, *([] if self._starting is None else [self._starting])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._calls.clear()  # their callbacks may be still to come
        if self._lifespan is not None:
            await self._lifespan.stop()

    async def _start(self, lifespan: _Lifespan) -> bool:
        started = await lifespan.start()
        if self._watch is not None:
            await self._watch.rested()
        return started


class WsgiTransport(AsgiTransport):
    """Calls a WSGI application, each request in a thread."""

    def __init__(self, app: Any) -> None:
        # Imported here, since most runs have no WSGI application.
        from a2wsgi import WSGIMiddleware

        # No limit to its queue: a thread that waits for a sender that has gone would never end.
        middleware = WSGIMiddleware(_with_stated_length(app), send_queue_size=0)
        super().__init__(middleware, lifespan=False)
        self._executor = middleware.executor

    async def aclose(self) -> None:
        """Wait until the application has ended all requests, also abandoned ones: a thread cannot be cancelled."""
        await asyncio.gather(*self._calls, return_exceptions=True)
        self._calls.clear()
        self._executor.shutdown()


def _with_stated_length(app: Any) -> Any:
    """Return the application as behind a server that collects a chunked body first, like waitress.

    PEP 3333 has no bodies without a length; many applications read them as empty.
    """

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "") and "CONTENT_LENGTH" not in environ:
            body = environ["wsgi.input"].read()
            del environ["HTTP_TRANSFER_ENCODING"]
            environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return app(environ, start_response)

    return call


class _Exchange:
    """One request and its response, as ASGI sees them."""

    def __init__(self, request: Request, port: int) -> None:
        """Raises `InvalidInputError` if the request could not be sent to a server either."""
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.disconnected = asyncio.Event()
        self._request = request
        self._port = port
        self._address = parse_address(request.url)
        self._headers = header_fields(request)
        self._messages = deque(_body_messages(request))
        cut, lost = last_of(request.faults, CutBody), last_of(request.faults, LostAck)
        self._cut = None if cut is None else cut_outcome(cut, len(request.body))
        self._dropped = None if lost is None else lost.dropped
        self._status: int | None = None
        self._response_headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._body_bytes_stated: int | None = None
        self._step: asyncio.TimerHandle | None = None
        self._steps_left = 0

    @property
    def phase(self) -> str:
        """The current phase, one of `model.PHASES`."""
        return "wait" if self._status is None else "body"

    def wait_at_most(self, seconds: float) -> None:
        """Set the outcome to a time-out after so many seconds in which this loop ran."""
        self._steps_left = TIMEOUT_STEPS
        self._wait_a_step(seconds / TIMEOUT_STEPS)

    def _wait_a_step(self, seconds: float) -> None:
        self._step = asyncio.get_running_loop().call_later(seconds, self._end_step, seconds)

    def _end_step(self, seconds: float) -> None:
        self._steps_left -= 1
        if self._steps_left:
            self._wait_a_step(seconds)
        elif not self.outcome.done():
            self.outcome.set_result(TimedOut(self.phase))
            self.disconnected.set()

    def wait_no_longer(self) -> None:
        """Let the application know that the sender has gone."""
        if self._step is not None:
            self._step.cancel()
        self.disconnected.set()

    async def run(self, app: AsgiApp, state: dict[str, Any]) -> None:
        """Call the application and set the outcome."""
        try:
            await app(self._scope(state), self._receive, self._send)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and self._cancelled_from_outside():
                raise
            # The traceback helps the application's author; the sender sees only the 500.
            _logger.exception("the application failed to respond to %s %s", self._request.method, self._address.path)
        if self._status is None:
            self._note_status(500)
            body = _SERVER_ERROR_BODY[: self._request.response_body_bytes_kept]
            headers = (("content-type", "text/plain; charset=utf-8"),)
            self._conclude(Responded(500, headers, body, len(_SERVER_ERROR_BODY)))
        else:
            self._conclude(CUT["body"])

    def ended(self, call: asyncio.Task[None]) -> None:
        """Pass a `BaseException` of the application's call to whoever awaits the outcome."""
        if self.outcome.done():
            if not call.cancelled():
                call.exception()  # which nobody waits for
        elif call.cancelled():
            self.outcome.cancel()
        elif (error := call.exception()) is not None:
            self.outcome.set_exception(error)

    def _cancelled_from_outside(self) -> bool:
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    def _scope(self, state: dict[str, Any]) -> dict[str, Any]:
        request, address = self._request, self._address
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.0" if last_of(request.faults, Http10) else "1.1",
            "method": request.method,
            "scheme": "https" if address.tls else "http",
            "path": unquote(address.path),
            "raw_path": address.path.encode("ascii"),
            "query_string": address.query.encode("ascii"),
            "root_path": "",
            "headers": [
                (b"host", address.host_header.encode("ascii")),
                *((name.lower(), value) for name, value in self._headers),
            ],
            "client": ("127.0.0.1", self._port),
            "server": (address.host, address.port),
            "state": state,
        }

    async def _receive(self) -> Message:
        if self._messages:
            message = self._messages.popleft()
            if self._dropped == "before-response" and not message["more_body"]:
                self.disconnected.set()
            return message
        if self._cut is not None:
            self.disconnected.set()
        await self.disconnected.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        """Take a message. Raises RuntimeError if the application breaks the protocol, as servers do."""
        if self.disconnected.is_set():
            return
        if message["type"] != ("http.response.start" if self._status is None else "http.response.body"):
            raise RuntimeError(f"ASGI message {message['type']!r} is out of turn")
        if self.outcome.done():
            raise RuntimeError("ASGI message after the response was complete")
        if self._status is None:
            self._begin_response(message)
        else:
            self._continue_response(message)

    def _begin_response(self, message: Message) -> None:
        self._status = message["status"]
        self._note_status(message["status"])
        if self._dropped is not None:
            # The outcome follows when the application has ended: it must not be busy when the batch is redelivered.
            self.disconnected.set()
            return
        self._response_headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
        for name, value in self._response_headers:
            if name.lower() == b"content-length":
                self._body_bytes_stated = int(value)
        if self._request.method == "HEAD" or self._status in (204, 304):
            self._body_bytes_stated = 0

    def _note_status(self, status: int) -> None:
        """Let a response pass if the sender would have read that it acknowledges nothing."""
        if status != ACKNOWLEDGEMENT and self._dropped != "before-response":
            self._dropped = None

    def _continue_response(self, message: Message) -> None:
        body = b"" if self._request.method == "HEAD" else bytes(message.get("body", b""))
        self._body.append(body[: max(0, self._request.response_body_bytes_kept - self._body_bytes)])
        self._body_bytes += len(body)
        stated, last = self._body_bytes_stated, not message.get("more_body", False)
        if stated is not None and (self._body_bytes > stated or (last and self._body_bytes < stated)):
            raise RuntimeError("the response body is not as long as its Content-Length says")
        if self._body_bytes > max(BODY_BYTES_MAX, self._request.response_body_bytes_kept):
            self._conclude(RESPONSE_TOO_LONG)
        elif last:
            headers = kept_headers(self._response_headers)
            self._conclude(Responded(self._status or 0, headers, b"".join(self._body), self._body_bytes))

    def _conclude(self, outcome: Outcome) -> None:
        # Nobody learns how the application treats a cut request, or responds if the response is lost.
        if self._cut is not None:
            outcome = self._cut
        elif self._dropped is not None:
            outcome = LOST[self._dropped]
        if not self.outcome.done():
            self.outcome.set_result(outcome)


def _body_messages(request: Request) -> Iterator[Message]:
    """Return the ASGI messages that carry the request's body; the last one is missing if the body is cut."""
    cut, chunked = last_of(request.faults, CutBody), last_of(request.faults, Chunked)
    body = request.body if cut is None else request.body[: cut.position(len(request.body))]
    size = len(body) if chunked is None else chunked.chunk_bytes
    pieces = [body[at : at + size] for at in range(0, len(body), size)] if body else []
    if cut is None and not pieces:
        pieces = [b""]
    for index, piece in enumerate(pieces):
        yield {"type": "http.request", "body": piece, "more_body": cut is not None or index < len(pieces) - 1}


class _Lifespan:
    """Starts and stops an application; one without lifespan support is just called."""

    def __init__(self, app: AsgiApp) -> None:
        self.state: dict[str, Any] = {}
        """State that the application sets at its start, for its requests."""
        self._app = app
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._start_received = False
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failed = False

    async def start(self) -> bool:
        """Start the application, once. Return whether it has started."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        await self._started.wait()
        return not self._failed

    async def stop(self) -> None:
        """Stop the application if it has started."""
        if self._task is None:
            return
        if self._started.is_set():
            self._stop.set()
            await self._stopped.wait()
        # Nobody waits for what follows "complete".
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except Exception:
            # Before the start is complete this only means that the application does not support lifespan: otherwise it
            # would have reported "startup.failed".
            if self._started.is_set() and not self._failed:
                _logger.exception("the application failed in its lifespan")
        finally:
            self._started.set()
            self._stopped.set()

    async def _receive(self) -> Message:
        if not self._start_received:
            self._start_received = True
            return {"type": "lifespan.startup"}
        await self._stop.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "lifespan.startup.complete":
                self._started.set()
            case "lifespan.startup.failed":
                _logger.error("the application does not start: %s", message.get("message", ""))
                self._failed = True
                self._started.set()
            case "lifespan.shutdown.complete":
                self._stopped.set()
            case "lifespan.shutdown.failed":
                _logger.error("the application does not stop properly: %s", message.get("message", ""))
                self._stopped.set()
