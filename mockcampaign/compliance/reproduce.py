"""How to see a violation again by itself: a command for a shell, and a scenario file."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import msgspec

from mockcampaign.compliance.history import of_lists
from mockcampaign.compliance.rule import Examined, Rule
from mockcampaign.compliance.rules import Reproduce
from mockcampaign.model import Authentication, BasicAuthentication, KeyAuthentication

if TYPE_CHECKING:
    from mockcampaign.compliance.bench import Bench


def reproduce(bench: Bench, examined: Examined, rule: Rule) -> Reproduce:
    """All that helps to see the violation again."""
    lists = examined.lists
    command = examined.curl
    if command is None and lists:
        authentication = bench.settings.authentication
        command = "\n".join(curl(bench.url, msgspec.json.encode(events), authentication) for events in lists)
    smallest = tuple(msgspec.Raw(msgspec.json.encode(event)) for event in lists[0]) if len(lists) == 1 else None
    return Reproduce(curl=command, scenario=_scenario(bench, examined, rule), case=smallest)


def _scenario(bench: Bench, examined: Examined, rule: Rule) -> str | None:
    """A file that expects what the consumer did not do. None where no scenario could tell."""
    probe = bench.probe
    if examined.curl is not None or (probe is None and bench.last_accepted):
        return None
    if not examined.lists and not bench.history.complete:
        return None
    encoded = [msgspec.json.encode(event) for events in examined.lists for event in events]
    if len(set(encoded)) < len(encoded):
        return None  # Nobody says how often equal events of one list count.
    history, delivered = bench.history, bench.delivered()
    if examined.lists:
        webhook = bench.webhook()
        history = of_lists(bench.campaign.now, webhook, examined.lists)
        delivered = {webhook.id: sum(map(len, examined.lists))}
    return history.scenario(
        f"{rule.id}: {rule.title}",
        bench.url,
        seed=bench.settings.seed,
        policy=bench.campaign.exporter.policy,
        delivered=delivered,
        probe=probe,
        by=bench.settings.probe_fields if rule.id in _ABOUT_FIELDS else sorted(bench.shown_fields),
    )


_ABOUT_FIELDS = ("keeps-fields", "keeps-created")
"""Rules of which the fields that the account does not show as they were sent are the very matter."""


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
