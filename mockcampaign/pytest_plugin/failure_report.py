"""The report section of a failing test: the timeline, the last request and response, the seed, and how to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from mockcampaign.double.control.campaign_control import CampaignControl
from mockcampaign.double.control.deliveries import last_exchange, serials_of
from mockcampaign.engine.journal import Attempted, Entry
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import ScenarioResult, scenario_result
from mockcampaign.masking import shown_url
from mockcampaign.model import NoAuthentication, Responded, Webhook
from mockcampaign.report.scenario_text import scenario_lines
from mockcampaign.text import printable

EVENTS_SHOWN_MAX = 2
BODY_CHARACTERS_MAX = 400


def report_section(campaign: CampaignControl, report: pytest.TestReport, *, whole: bool) -> str:
    """Return the report section: what happened, and which rules the consumer has violated.

    Why the test failed, pytest says itself. The section contains no credentials, because the journal has none.
    """
    node_id = report.nodeid
    result = msgspec.structs.replace(result_of(campaign, node_id, passed=False), trouble=None, file="")
    # Without a violation, a verdict on the consumer would only distract from the test's own failure.
    lines = result_lines(result, whole=whole)[result.verdict != "violated" :]
    return "\n".join([*lines, *_last_exchange(campaign, result.journal), *how_to_repeat(node_id, campaign.seed)])


def result_of(campaign: CampaignControl, node_id: str, *, passed: bool) -> ScenarioResult:
    """Return the result of a test's campaign, in the form of a scenario's; `passed` is that of the test itself."""
    entries = campaign.journal.entries
    webhooks = campaign.webhooks
    return scenario_result(
        name=node_id,
        file=node_id.partition("::")[0],
        target=", ".join(dict.fromkeys(shown_url(webhook.target_url) for webhook in webhooks)) or "no webhook",
        trouble=campaign.nothing_delivered(),
        webhooks=_names(webhooks),
        rules=campaign.findings(passed=passed),
        expectations=[],
        journal=entries,
        strict=False,
    )


def with_failure(result: ScenarioResult, report: pytest.TestReport, campaign: CampaignControl) -> ScenarioResult:
    """Return the result with the failure of the test itself as one more expectation."""
    crash = getattr(report.longrepr, "reprcrash", None)
    said = str(report.longrepr if crash is None else crash.message).strip().partition("\n")[0]
    finding = Finding(
        id="test",
        title=f"the test itself ({report.when})",
        level="must",
        outcome="fail",
        requirement="The test passes.",
        expected="passes",
        actual=campaign.engine.masking.text(said) or "fails",
        evidence=(),
    )
    return msgspec.structs.replace(
        result, verdict="violated", compliant=False, trouble=None, expectations=[*result.expectations, finding]
    )


def _names(webhooks: Sequence[Webhook]) -> dict[str, int]:
    """Return ids by name: the type of the webhook, with its id if several are of that type."""
    types = [webhook.type for webhook in webhooks]
    return {
        webhook.type.value if types.count(webhook.type) == 1 else f"{webhook.type} {webhook.id}": webhook.id
        for webhook in webhooks
    }


def _last_exchange(campaign: CampaignControl, entries: Sequence[Entry]) -> Iterator[str]:
    entry = last_exchange(entries)
    if entry is None:
        return
    webhook = campaign.engine.webhook(entry.webhook_id)
    yield "  last request and response"
    yield f"    POST {printable(shown_url(webhook.target_url))}"
    yield "    Content-Type: application/json"
    for name, _ in () if isinstance(webhook.authentication, NoAuthentication) else webhook.authentication.headers():
        yield f"    {name}: ***"
    yield f"    {_body(campaign, entry)}"
    if isinstance(entry.outcome, Responded):
        yield f"    → {entry.outcome.status}"
        for name, value in entry.outcome.headers:
            yield f"      {printable(name)}: {printable(value)}"
        body = entry.outcome.body.decode("utf-8", "backslashreplace")
        if body:
            cut = len(body) > BODY_CHARACTERS_MAX or entry.outcome.body_bytes > len(entry.outcome.body)
            yield f"      {printable(body[:BODY_CHARACTERS_MAX])}{' …' if cut else ''}"
    else:
        yield f"    → {printable(entry.outcome.describe())}"


def _body(campaign: CampaignControl, entry: Attempted) -> str:
    serials = serials_of(entry)
    shown = ",".join(msgspec.json.encode(campaign.payload(serial)).decode() for serial in serials[:EVENTS_SHOWN_MAX])
    more = len(serials) - EVENTS_SHOWN_MAX
    policy = campaign.engine.policy
    before, after = printable(policy.body_prefix), printable(policy.body_suffix)
    return f"{before}{printable(shown)}{f', … {more} more' if more > 0 else ''}{after}"


def result_lines(result: ScenarioResult, *, whole: bool) -> list[str]:
    """Return the text report without colours. A long timeline is cut unless `whole`."""
    return ["".join(text for text, _ in line).rstrip() for line in scenario_lines(result, verbosity=int(whole))]


def how_to_repeat(node_id: str, seed: int) -> Iterator[str]:
    """Yield the command that repeats a test with its seed."""
    yield f"  seed {seed}; to repeat it:"
    yield f"    pytest {shlex.quote(node_id)} --mockcampaign-seed {seed}"
