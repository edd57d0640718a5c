"""Requests as commands for a shell, which anybody with curl can give. Secrets come from the environment."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from mockcampaign.faults import Chunked, ContentType, CutBody, ExpectContinue, LostAck, NewConnection, last_of
from mockcampaign.model import Authentication, BasicAuthentication, Fault, KeyAuthentication

_BEGIN = "curl -sS -i"

JSON = "Content-Type: application/json"

ARGUMENT_BYTES_MAX = 100_000
"""A longer body comes through a pipe: Linux takes no argument of more than 128 KiB."""

CUT_MILLISECONDS = 300
"""How long curl waits, and the consumer for the rest of a body that is cut."""


def curl(
    url: str,
    body: bytes,
    authentication: Authentication,
    *,
    method: str = "POST",
    headers: tuple[str, ...] = (JSON,),
    credentials: str | None = None,
) -> str:
    """A command that sends the request and shows the answer.

    `credentials` are arguments that stand for others than the right ones.
    """
    parts = [_BEGIN]
    if method != "POST":
        parts += ["-X", method]
    for header in headers:
        parts += ["-H", shlex.quote(header)]
    given = right_credentials(authentication) if credentials is None else credentials
    if given:
        parts.append(given)
    if not body and method != "POST":
        return " ".join([*parts, shlex.quote(url)])
    argument = _argument(body)
    if argument is None:
        return f"printf {_octal(body)} | {' '.join([*parts, '--data-binary', '@-', shlex.quote(url)])}"
    return " ".join([*parts, "--data-binary", argument, shlex.quote(url)])


def piped(source: str, url: str, authentication: Authentication) -> str:
    """The same for a body that other commands print."""
    parts = [_BEGIN, "-H", shlex.quote(JSON), right_credentials(authentication)]
    return f"{source} | {' '.join([*filter(None, parts), '--data-binary', '@-', shlex.quote(url)])}"


def account(url: str) -> str:
    """A command that shows what the consumer says it has processed."""
    return f"curl -sS {shlex.quote(url)}"


def right_credentials(authentication: Authentication) -> str:
    """As arguments; nothing where none are demanded."""
    match authentication:
        case BasicAuthentication():
            return '-u "$HOOK_USER:$HOOK_PASSWORD"'
        case KeyAuthentication(key=key):
            name = re.sub(r"([$`])", r"\\\1", key)
            return f'-H "{name}: $HOOK_KEY"'
        case _:
            return ""


def faulty(
    url: str,
    body: bytes,
    authentication: Authentication,
    faults: tuple[Fault, ...],
    *,
    method: str = "POST",
    credentials: str | None = None,
) -> str | None:
    """The same as `curl` with these faults. None where it cannot carry them out."""
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
        return curl(url, body, authentication, method=method, headers=tuple(headers), credentials=credentials)
    headers.append(f"Content-Length: {len(body)}")
    part = body[: cut.position(len(body))]
    command = curl(url, part, authentication, method=method, headers=tuple(headers), credentials=credentials)
    return giving_up(command, CUT_MILLISECONDS)


def giving_up(command: str, milliseconds: int) -> str:
    """The same, which hangs up where it has no response by then."""
    return command.replace(_BEGIN, f"{_BEGIN} -m {milliseconds / 1_000:g}", 1)


def on_one_connection(commands: Iterable[str]) -> str:
    """All of them as one, whose requests go out on one connection as long as the consumer keeps it."""
    return "curl " + " --next ".join(command.removeprefix("curl ") for command in commands)


_CURL_CAN = frozenset({"chunked", "content-type", "cut-body", "expect-continue", "lost-ack", "new-connection"})
"""Faults that it can carry out. That an answer is lost is nothing that a consumer sees."""


def _argument(body: bytes) -> str | None:
    """The body as an argument; None where it cannot be one that everybody can read."""
    if len(body) > ARGUMENT_BYTES_MAX or body.startswith(b"@"):
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return shlex.quote(text) if text.isprintable() else None


def _octal(body: bytes) -> str:
    """As the format of `printf`, which is part of every shell, and so takes arguments of any length."""
    escaped = [chr(byte) if 32 <= byte <= 126 and byte not in b"'\\%" else f"\\{byte:03o}" for byte in body]
    if escaped[:1] == ["-"]:
        escaped[0] = f"\\{ord('-'):03o}"  # which would begin an option
    return f"'{''.join(escaped)}'"
