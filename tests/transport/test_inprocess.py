"""Applications in this process: their outcomes, which equal those over a socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import flask
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from mockcampaign.errors import InvalidInputError
from mockcampaign.faults import CutBody, Fault, Http10, LostAck
from mockcampaign.model import NoResponse, Outcome, Request, Responded, TimedOut
from mockcampaign.transport import Transport
from mockcampaign.transport.inprocess import AsgiApp, AsgiTransport, Message, WsgiTransport
from mockcampaign.transport.response import BODY_BYTES_MAX
from mockcampaign.transport.wire import WireTransport

SERVER_ERROR = Responded(500, (("content-type", "text/plain; charset=utf-8"),), b"Internal Server Error", 21)
CUT_BODY = NoResponse("body", "connection closed within the response body")


def request_to(url: str = "http://consumer/hook", **changes: Any) -> Request:
    """A request with a long time-out, apart from `changes`."""
    settings: dict[str, Any] = {"method": "POST", "headers": (), "timeout": 10_000, "response_body_bytes_kept": 4_096}
    return Request(url=url, **(settings | changes))


@contextlib.asynccontextmanager
async def closing(transport: AsgiTransport) -> AsyncIterator[AsgiTransport]:
    try:
        yield transport
    finally:
        await transport.aclose()
    assert not transport._calls


def outcome_of(app: AsgiApp, **changes: Any) -> Outcome:
    async def main() -> Outcome:
        async with closing(AsgiTransport(app)) as transport:
            return await transport.send(request_to(**changes))

    return asyncio.run(main())


def app_sending(*messages: Message, then: BaseException | None = None) -> AsgiApp:
    """Knows no lifespan, sends the messages, and then returns or raises."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        for message in messages:
            await send(message)
        if then is not None:
            raise then

    return app


def start(status: int = 200, **headers: str) -> Message:
    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": encoded}


def body(content: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


# Connections


@pytest.mark.parametrize(
    ("outcome", "faults", "ports"),
    [
        (Responded(200, (), b"", 0), (), 1),
        (Responded(500, (), b"", 0), (), 1),
        (None, (LostAck(),), 3),
        (None, (CutBody(),), 3),
        (Responded(200, (), b"", 0), (Http10(),), 3),
    ],
)
def test_an_application_sees_a_new_connection_after_one_that_was_dropped(
    outcome: Outcome | None, faults: tuple[Fault, ...], ports: int
) -> None:
    seen: list[int] = []
    status = outcome.status if isinstance(outcome, Responded) else 200
    answer = app_sending(start(status), body())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        seen.append(scope["client"][1])
        await answer(scope, receive, send)

    async def main() -> None:
        async with closing(AsgiTransport(app)) as transport:
            for _ in range(3):
                found = await transport.send(request_to(body=b"[{}]", faults=faults))
                assert outcome in (None, found)

    asyncio.run(main())
    assert len(set(seen)) == ports


def test_concurrent_requests_have_connections_of_their_own_which_are_used_again() -> None:
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        seen.append(scope["client"][1])
        while len(seen) < 2:
            await asyncio.sleep(0)
        await app_sending(start(), body())(scope, receive, send)

    async def main() -> None:
        async with closing(AsgiTransport(app)) as transport:
            await asyncio.gather(*(transport.send(request_to()) for _ in range(2)))
            await transport.send(request_to())

    asyncio.run(main())
    assert len(set(seen[:2])) == 2
    assert seen[2] in seen[:2]


# Outcomes


@pytest.mark.parametrize(
    ("app", "outcome"),
    [
        (app_sending(start(), body(b"ok")), Responded(200, (), b"ok", 2)),
        (app_sending(start(202), body(b"a", more=True), body(b"b")), Responded(202, (), b"ab", 2)),
        (app_sending(start(X="1", Date="now", content_length="0"), body()), Responded(200, (("x", "1"),), b"", 0)),
        (app_sending(), SERVER_ERROR),
        (app_sending(then=RuntimeError("no")), SERVER_ERROR),
        (app_sending(then=TimeoutError()), SERVER_ERROR),
        (app_sending(then=asyncio.CancelledError()), SERVER_ERROR),
        (app_sending(body(b"early")), SERVER_ERROR),
        (app_sending(start()), CUT_BODY),
        (app_sending(start(), body(b"a", more=True)), CUT_BODY),
        (app_sending(start(), body(b"a", more=True), then=RuntimeError("no")), CUT_BODY),
        (app_sending(start(content_length="2"), body(b"a")), CUT_BODY),
        (app_sending(start(content_length="2"), body(b"abc")), CUT_BODY),
        (app_sending(start(), body(b"ok"), then=RuntimeError("late")), Responded(200, (), b"ok", 2)),
        (app_sending(start(), body(b"ok"), body(b"late")), Responded(200, (), b"ok", 2)),
    ],
)
def test_the_outcome_follows_from_what_the_application_does(app: AsgiApp, outcome: Outcome) -> None:
    assert outcome_of(app) == outcome


@pytest.mark.parametrize(
    ("more", "outcome"),
    [(0, Responded(200, (), b"x", BODY_BYTES_MAX)), (1, NoResponse("body", "response longer than 16 MiB"))],
)
def test_a_response_has_a_longest_length(more: int, outcome: Outcome) -> None:
    app = app_sending(start(), body(b"x" * (BODY_BYTES_MAX + more)))
    assert outcome_of(app, response_body_bytes_kept=1) == outcome


def test_the_traceback_is_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    outcome_of(app_sending(then=RuntimeError("in the application")))
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == "the application failed to respond to POST /hook"
    assert "RuntimeError: in the application" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), pytest.fail.Exception("in the application")])
def test_a_base_exception_of_the_application_is_raised(error: BaseException) -> None:
    with pytest.raises(type(error)):
        outcome_of(app_sending(then=error))


@pytest.mark.parametrize(
    ("messages", "phase"), [((), "wait"), ((start(),), "body"), ((start(), body(b"a", more=True)), "body")]
)
def test_a_time_out_says_how_far_the_exchange_got_and_the_application_hears(
    messages: tuple[Message, ...], phase: str
) -> None:
    heard: list[str] = []

    async def main() -> None:
        done = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert scope["type"] == "http"
            for message in messages:
                await send(message)
            for _ in range(2):
                heard.append((await receive())["type"])
            await send(start())  # too late, and heard by no one
            done.set()

        async with closing(AsgiTransport(app)) as transport:
            assert await transport.send(request_to(timeout=50)) == TimedOut(phase)
            await done.wait()

    asyncio.run(main())
    assert heard == ["http.request", "http.disconnect"]


def test_cancelling_lets_the_application_hear_and_closing_cancels_it() -> None:
    seen: list[str] = []

    async def main() -> None:
        waiting = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert scope["type"] == "http"
            await receive()
            waiting.set()
            seen.append((await receive())["type"])
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        async with closing(AsgiTransport(app)) as transport:
            sent = asyncio.create_task(transport.send(request_to()))
            await waiting.wait()
            sent.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sent
            await asyncio.sleep(0)

    asyncio.run(main())
    assert seen == ["http.disconnect", "cancelled"]


def test_the_application_may_go_on_after_its_response() -> None:
    async def main() -> None:
        go_on, done = asyncio.Event(), asyncio.Event()

        async def later() -> None:
            await go_on.wait()
            done.set()

        async def hook(_: StarletteRequest) -> Response:
            return PlainTextResponse("ok", background=BackgroundTask(later))

        app = Starlette(routes=[Route("/hook", hook, methods=["POST"])])
        async with closing(AsgiTransport(app)) as transport:
            outcome = await transport.send(request_to())
            assert isinstance(outcome, Responded)
            assert outcome.status == 200
            go_on.set()
            await done.wait()

    asyncio.run(main())


def test_a_request_that_cannot_be_sent_is_rejected_in_process_too() -> None:
    for changes in ({"url": "ftp://consumer/"}, {"headers": (("X", "a\r\nY: b"),)}):
        with pytest.raises(InvalidInputError):
            outcome_of(app_sending(start(), body()), **changes)


# Lifespan


def test_the_application_is_started_once_and_stopped() -> None:
    seen: list[str] = []

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, str]]:
        seen.append("start")
        await asyncio.sleep(0)
        yield {"from": "lifespan"}
        seen.append("stop")

    async def hook(request: StarletteRequest) -> Response:
        seen.append("hook")
        return JSONResponse(request.scope["state"])

    async def main() -> None:
        app = Starlette(routes=[Route("/hook", hook, methods=["POST"])], lifespan=lifespan)
        async with closing(AsgiTransport(app)) as transport:
            assert seen == []
            for outcome in await asyncio.gather(*(transport.send(request_to()) for _ in range(2))):
                assert isinstance(outcome, Responded)
                assert outcome.body == b'{"from":"lifespan"}'

    asyncio.run(main())
    assert seen == ["start", "hook", "hook", "stop"]


def test_an_application_that_does_not_start_cannot_be_reached(caplog: pytest.LogCaptureFixture) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        raise RuntimeError("no database")
        yield

    assert outcome_of(Starlette(lifespan=lifespan)) == NoResponse("connect", "the application does not start")
    assert "RuntimeError: no database" in caplog.text


def test_an_application_that_was_never_called_need_not_be_stopped() -> None:
    asyncio.run(AsgiTransport(app_sending()).aclose())


# WSGI


def flask_app() -> flask.Flask:
    app = flask.Flask("consumer")

    @app.post("/hook")
    def hook() -> tuple[dict[str, Any], int]:
        request = flask.request
        return {"events": request.get_json(), "query": request.args["a"], "key": request.headers["X-Key"]}, 202

    @app.post("/boom")
    def boom() -> str:
        raise RuntimeError("boom")

    @app.post("/half")
    def half() -> flask.Response:
        def pieces() -> Any:
            yield "a"
            raise RuntimeError("half")

        return flask.Response(pieces())

    return app


def test_a_flask_application() -> None:
    async def main() -> None:
        async with closing(WsgiTransport(flask_app())) as transport:
            headers = (("Content-Type", "application/json"), ("X-Key", "secret"))
            url = "http://consumer/hook?a=b%20c"
            outcomes = await asyncio.gather(
                *(transport.send(request_to(url, headers=headers, body=b'[{"n":1}]')) for _ in range(20))
            )
            expected = b'{"events":[{"n":1}],"key":"secret","query":"b c"}\n'
            assert set(outcomes) == {Responded(202, (("content-type", "application/json"),), expected, len(expected))}
            boom = await transport.send(request_to("http://consumer/boom"))
            assert isinstance(boom, Responded)
            assert boom.status == 500
            assert await transport.send(request_to("http://consumer/half")) == CUT_BODY

    asyncio.run(main())


def test_a_wsgi_application_without_a_framework() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/boom":
            raise RuntimeError("boom")
        start_response("200 OK", [("X-Length", environ["CONTENT_LENGTH"])])
        return [environ["wsgi.input"].read()]

    async def main() -> None:
        async with closing(WsgiTransport(app)) as transport:
            assert await transport.send(request_to(body=b"[1]")) == Responded(200, (("x-length", "3"),), b"[1]", 3)
            assert await transport.send(request_to("http://consumer/boom")) == SERVER_ERROR

    asyncio.run(main())


def test_closing_waits_for_abandoned_threads() -> None:
    import threading

    go_on = threading.Event()

    def app(_: Any, start_response: Any) -> list[bytes]:
        go_on.wait()
        start_response("200 OK", [])
        return [b"late"] * 20

    async def main() -> None:
        async with closing(WsgiTransport(app)) as transport:
            assert await transport.send(request_to(timeout=50)) == TimedOut("wait")
            go_on.set()

    asyncio.run(main())


# The same over a socket


class Server(uvicorn.Server):
    """Says when it has started."""

    def __init__(self, app: Any) -> None:
        super().__init__(uvicorn.Config(app, port=0, log_config=None))
        self.ready = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    server = Server(app)
    serving = asyncio.create_task(server.serve())
    await server.ready.wait()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


def sample_app() -> Starlette:
    async def echo(request: StarletteRequest) -> Response:
        scope = {key: value for key, value in request.scope.items() if isinstance(value, str | bytes | tuple | list)}
        scope.pop("client")
        return PlainTextResponse(repr(sorted(scope.items())) + repr(await request.body()), headers={"X-Name": " é "})

    async def status(request: StarletteRequest) -> Response:
        return Response(status_code=int(request.path_params["code"]))

    async def boom(_: StarletteRequest) -> Response:
        raise RuntimeError("boom")

    async def half(_: StarletteRequest) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"a"
            raise RuntimeError("half")

        return StreamingResponse(pieces())

    async def stream(_: StarletteRequest) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"piece" * 1_000

        return StreamingResponse(pieces(), media_type="text/plain")

    async def short(_: StarletteRequest) -> Response:
        return Response(b"a", headers={"Content-Length": "2"})

    async def long(_: StarletteRequest) -> Response:
        return Response(b"abc", headers={"Content-Length": "2"})

    async def redirect(_: StarletteRequest) -> Response:
        answer = RedirectResponse("/echo")
        answer.set_cookie("a", "b")
        answer.set_cookie("c", "d")
        return answer

    async def hang(_: StarletteRequest) -> Response:
        await asyncio.Event().wait()
        return Response()

    endpoints = {"/boom": boom, "/half": half, "/stream": stream, "/short": short, "/long": long, "/redirect": redirect}
    routes = [Route(path, endpoint, methods=["POST", "HEAD"]) for path, endpoint in endpoints.items()]
    routes += [Route("/echo/{rest:path}", echo, methods=["POST", "HEAD"]), Route("/hang", hang, methods=["POST"])]
    return Starlette(routes=[*routes, Route("/status/{code}", status, methods=["POST"])])


def test_the_same_application_gives_equal_outcomes_in_process_and_over_a_socket() -> None:
    async def outcomes(transport: Transport, origin: str) -> dict[str, Outcome]:
        headers = (("Content-Type", "application/json"), ("X-Key", "ü"), ("x-key", " 2"))
        paths = [
            *("/boom", "/half", "/stream", "/short", "/long", "/redirect", "/missing", "/status/200"),
            *("/status/204", "/status/304", "/status/503", "/echo/%C3%BC%2F%20x//y?a=%20b&c=/&d", "/echo/ü?ö"),
        ]
        found = {
            path: await transport.send(request_to(origin + path, headers=headers, body=b"[1,2]")) for path in paths
        }
        found["HEAD"] = await transport.send(request_to(origin + "/echo/x", method="HEAD"))
        found["HEAD stream"] = await transport.send(request_to(origin + "/stream", method="HEAD"))
        found["GET"] = await transport.send(request_to(origin + "/echo/x", method="GET"))
        found["kept"] = await transport.send(request_to(origin + "/echo/x", response_body_bytes_kept=3))
        return found

    async def main() -> None:
        app = sample_app()
        async with served(app) as origin:
            wire, inprocess = WireTransport(), AsgiTransport(app)
            try:
                over_a_socket, in_process = await outcomes(wire, origin), await outcomes(inprocess, origin)
            finally:
                await wire.aclose()
                await inprocess.aclose()
        assert in_process == over_a_socket
        assert over_a_socket["/boom"] == SERVER_ERROR
        assert over_a_socket["/half"] == over_a_socket["/short"] == over_a_socket["/long"] == CUT_BODY

    asyncio.run(main())


def test_a_moment_in_which_the_machine_stops_the_process_is_no_time_out() -> None:
    """The clock of the loop leaps by a minute while the application works, as after a machine's pause."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time
        loop.time = lambda: before() + 60  # type: ignore[method-assign]
        await asyncio.sleep(0.001)
        await PlainTextResponse("stored")(scope, receive, send)

    assert isinstance(outcome_of(app), Responded)
