"""Writing requests as shell commands that use curl. Secrets come from the environment."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

import msgspec

from mockcampaign.faults import Chunked, ContentType, CutBody, ExpectContinue, LostAck, NewConnection, last_of
from mockcampaign.masking import shown_url
from mockcampaign.model import Authentication, BasicAuthentication, Fault, KeyAuthentication, NoAuthentication
from mockcampaign.transport.address import NO_ROUTES, Routes, parse_address

_BEGIN = "curl -sS -i"

JSON = "Content-Type: application/json"

ARGUMENT_BYTES_MAX = 100_000
"""Size in bytes above which a body goes through a pipe: Linux allows no argument of more than 128 KiB."""

CUT_MILLISECONDS = 300
"""Milliseconds after which curl ends a request whose body is cut off."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A URL, the credentials that it demands, and where its requests really go."""

    url: str
    authentication: Authentication = NoAuthentication()
    routes: Routes = NO_ROUTES


def curl(
    endpoint: Endpoint,
    body: bytes,
    *,
    method: str = "POST",
    headers: tuple[str, ...] = (JSON,),
    credentials: str | None = None,
) -> str:
    """Return a command that sends the request and shows the response.

    `credentials` are arguments for other credentials than the valid ones.
    """
    parts = [_BEGIN]
    if method != "POST":
        parts += ["-X", method]
    for header in headers:
        parts += ["-H", shlex.quote(header)]
    given = valid_credentials(endpoint.authentication) if credentials is None else credentials
    if given:
        parts.append(given)
    if not body and method != "POST":
        return " ".join([*parts, *_addressed(endpoint)])
    argument = _argument(body)
    if argument is None:
        return f"printf {_octal(body)} | {' '.join([*parts, '--data-binary', '@-', *_addressed(endpoint)])}"
    return " ".join([*parts, "--data-binary", argument, *_addressed(endpoint)])


def piped(printing: str, endpoint: Endpoint) -> str:
    """Return a command that sends a body which another command prints."""
    parts = [_BEGIN, "-H", shlex.quote(JSON), valid_credentials(endpoint.authentication)]
    return f"{printing} | {' '.join([*filter(None, parts), '--data-binary', '@-', *_addressed(endpoint)])}"


def read_probe(endpoint: Endpoint) -> str:
    """Return a command that shows what a probe of the consumer reports."""
    return " ".join(["curl -sS", *_addressed(endpoint)])


def _addressed(endpoint: Endpoint) -> list[str]:
    """Return the arguments that say where the request goes: the URL, and its route if it has one."""
    arguments = [shlex.quote(shown_url(endpoint.url))]
    if endpoint.routes == NO_ROUTES:
        return arguments
    address, routes = parse_address(endpoint.url), endpoint.routes
    origin = address.host, address.port
    if origin in routes.host_headers:
        arguments += ["-H", shlex.quote(f"Host: {routes.host_headers[origin]}")]
    if origin in routes.addresses:
        connected = routes.addresses[origin]
        literal = f"[{connected}]" if ":" in connected else connected
        arguments += ["--resolve", shlex.quote(f"{address.host}:{address.port}:{literal}")]
    return arguments


def valid_credentials(authentication: Authentication) -> str:
    """Return arguments for the valid credentials; an empty text if none are needed."""
    match authentication:
        case BasicAuthentication():
            return '-u "$HOOK_USER:$HOOK_PASSWORD"'
        case KeyAuthentication(key=key):
            name = re.sub(r"([$`])", r"\\\1", key)
            return f'-H "{name}: $HOOK_KEY"'
        case _:
            return ""


def faulty(
    endpoint: Endpoint,
    body: bytes,
    faults: tuple[Fault, ...],
    *,
    method: str = "POST",
    credentials: str | None = None,
) -> str | None:
    """Return what `curl` returns, with these faults; None if curl cannot inject them."""
    if any(fault.kind not in _CURL_CAN for fault in faults):
        return None
    content_type, chunked, cut = last_of(faults, ContentType), last_of(faults, Chunked), last_of(faults, CutBody)
    lost = last_of(faults, LostAck)
    if (cut is not None and (chunked is not None or cut.ending == "rst")) or (
        lost is not None and lost.dropped == "before-response"
    ):
        return None
    headers = [JSON if content_type is None else f"Content-Type: {content_type.value}"]
    if chunked is not None:
        headers.append("Transfer-Encoding: chunked")
    if last_of(faults, ExpectContinue) is not None:
        headers.append("Expect: 100-continue")
    if last_of(faults, NewConnection) is not None:
        headers.append("Connection: close")
    if cut is None:
        return curl(endpoint, body, method=method, headers=tuple(headers), credentials=credentials)
    headers.append(f"Content-Length: {len(body)}")
    part = body[: cut.position(len(body))]
    command = curl(endpoint, part, method=method, headers=tuple(headers), credentials=credentials)
    return giving_up(command, CUT_MILLISECONDS)


def giving_up(command: str, milliseconds: int) -> str:
    """Return the command with a time-out."""
    return command.replace(_BEGIN, f"{_BEGIN} -m {milliseconds / 1_000:g}", 1)


def on_one_connection(commands: Iterable[str]) -> str:
    """Return one command that sends all requests on one connection, as long as the consumer keeps that open."""
    return "curl " + " --next ".join(command.removeprefix("curl ") for command in commands)


_CURL_CAN = frozenset({"chunked", "content-type", "cut-body", "expect-continue", "lost-ack", "new-connection"})
"""Kinds of faults that curl can inject. A consumer does not notice that its response is lost."""


def _argument(body: bytes) -> str | None:
    """Return the body as an argument; None if it would be too long or unreadable."""
    if len(body) > ARGUMENT_BYTES_MAX or body.startswith(b"@"):
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return shlex.quote(text) if text.isprintable() else None


def _octal(body: bytes) -> str:
    """Return the body as a format of `printf`, which is built into every shell and so has no limit of length."""
    escaped = [chr(byte) if 32 <= byte <= 126 and byte not in b"'\\%" else f"\\{byte:03o}" for byte in body]
    if escaped[:1] == ["-"]:
        escaped[0] = f"\\{ord('-'):03o}"  # which would begin an option
    return f"'{''.join(escaped)}'"
