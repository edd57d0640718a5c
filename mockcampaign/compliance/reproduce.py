"""How to see a violation again by itself: a command for a shell, and a scenario file."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import msgspec

from mockcampaign.compliance.rule import Examined, Rule
from mockcampaign.compliance.rules import Reproduce
from mockcampaign.model import Authentication, BasicAuthentication, KeyAuthentication

if TYPE_CHECKING:
    from mockcampaign.compliance.bench import Bench


def reproduce(bench: Bench, examined: Examined, rule: Rule) -> Reproduce:
    """All that helps to see the violation again."""
    command = examined.curl
    case = None
    if examined.case is not None:
        case = tuple(msgspec.Raw(msgspec.json.encode(event)) for event in examined.case)
        if command is None:
            command = curl(bench.url, msgspec.json.encode(examined.case), bench.settings.authentication)
    return Reproduce(curl=command, scenario=None, case=case)


def curl(
    url: str,
    body: bytes,
    authentication: Authentication,
    *,
    method: str = "POST",
    headers: tuple[str, ...] = ("Content-Type: application/json",),
) -> str:
    """A command that sends the request and shows the answer. Secrets come from the environment."""
    parts = ["curl", "-sS", "-i"]
    if method != "POST":
        parts += ["-X", method]
    for header in headers:
        parts += ["-H", shlex.quote(header)]
    match authentication:
        case BasicAuthentication():
            parts += ["-u", '"$HOOK_USER:$HOOK_PASSWORD"']
        case KeyAuthentication(key=key):
            parts += ["-H", f'"{key}: $HOOK_KEY"']
        case _:
            pass
    if body or method == "POST":
        parts += ["--data-binary", _quoted(body)]
    return " ".join([*parts, shlex.quote(url)])


def _quoted(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and (text or not body):
        return shlex.quote(text)
    escaped = "".join(f"\\x{byte:02x}" if byte < 32 or byte > 126 or byte in b"'\\" else chr(byte) for byte in body)
    return f"$'{escaped}'"
