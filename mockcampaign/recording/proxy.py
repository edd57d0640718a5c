"""A proxy that forwards every request to the consumer, returns the response, and records both."""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as Incoming
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import NoResponse, Outcome, Request, Responded, TimedOut
from mockcampaign.recording.sideline import Sideline
from mockcampaign.transport import Transport

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

BODY_BYTES_MAX = 64 * 1024 * 1024
"""Largest request and response body: far more than Campaign sends, or any consumer responds."""

_OF_THE_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that a proxy does not forward (RFC 9110, section 7.6.1), and those that the transport adds itself."""


def proxy_app(
    forward: str,
    *,
    transport: Transport,
    sideline: Sideline,
    now: Callable[[], int],
    timeout: int,
) -> Starlette:
    """Return a proxy for the consumer at the URL `forward`, to which it adds the path of each request.

    `now` returns milliseconds since 1970, `timeout` is in milliseconds. Nothing here waits for the recording.
    """

    async def forward_request(incoming: Incoming) -> Response:
        try:
            body = await incoming.body()
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        if len(body) > BODY_BYTES_MAX:
            return PlainTextResponse(f"mockcampaign record: more than {BODY_BYTES_MAX} bytes", status_code=413)
        # The raw path, because decoding and encoding it may change it.
        path = incoming.scope["raw_path"].decode("latin-1").partition("?")[0]
        headers = tuple(
            (name, value) for name, value in incoming.headers.items() if name.lower() not in _OF_THE_CONNECTION
        )
        recorded = sideline.begin(path, headers, body, now()) if incoming.method == "POST" else None
        request = Request(
            method=incoming.method,
            url=_target(forward, path, incoming.url.query),
            headers=headers,
            body=body,
            timeout=timeout,
            response_body_bytes_kept=BODY_BYTES_MAX,
        )
        try:
            outcome = await transport.send(request)
        except InvalidInputError:
            outcome = NoResponse("send", "the request cannot be sent to any consumer")
        if recorded is not None:
            sideline.complete(recorded, outcome, now())
        return _response(outcome)

    return Starlette(routes=[Route("/{path:path}", forward_request, methods=list(METHODS))])


def _target(forward: str, path: str, query: str) -> str:
    url = forward if path == "/" else f"{forward.rstrip('/')}{path}"
    return f"{url}?{query}" if query else url


def _response(outcome: Outcome) -> Response:
    match outcome:
        case Responded(body=body, body_bytes=body_bytes) if body_bytes > len(body):
            return PlainTextResponse("mockcampaign record: the consumer's response is too long", status_code=502)
        case Responded(status=status, body=body, headers=headers):
            response = Response(body, status_code=status)
            length = [header for header in response.raw_headers if header[0] == b"content-length"]
            kept = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
            response.raw_headers = [*kept, *length]
            return response
        case TimedOut():
            return PlainTextResponse(f"mockcampaign record: {outcome.describe()}", status_code=504)
        case NoResponse():
            return PlainTextResponse(f"mockcampaign record: {outcome.describe()}", status_code=502)
