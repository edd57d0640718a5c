"""The `campaign_check` fixture: the compliance check, with a subtest for each rule."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from conftest import Inner
from foreign_shapes import CAPTURED, SHAPES
from mockcampaign.check import examiner
from mockcampaign.errors import InvalidInputError, MisuseError
from mockcampaign.pytest_plugin import CampaignCheck
from mockcampaign.samples.bugs.redelivery import CountsRedeliveredEvents
from mockcampaign.samples.consumer import application, consumer_app
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Store
from mockcampaign.serving import serve_in_thread
from plugin_apps import App
from plugin_apps import app as app

QUICK = ("acknowledgement", "batch")


def test_a_correct_consumer_in_process(campaign_check: CampaignCheck) -> None:
    report = campaign_check(consumer_app(), "/hook", probe="/processed", rules=QUICK)
    assert report.compliant
    assert {finding.outcome for finding in report.rules} == {"pass"}


def test_a_probe_that_is_a_function(campaign_check: CampaignCheck) -> None:
    processed: list[Any] = []

    def consumer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        import json

        try:
            processed.extend(json.loads(environ["wsgi.input"].read()))
        except ValueError:
            start_response("400 Bad Request", [])
            return []
        start_response("200 OK", [])
        return []

    def probe() -> list[Any]:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return processed

    assert campaign_check(consumer, "/hook", probe=probe, rules=["batch"]).compliant
    assert campaign_check(consumer, "/hook", probe=lambda: len(processed), rules=["batch"]).compliant


def test_the_end_state_at_a_path_and_by_a_function(campaign_check: CampaignCheck) -> None:
    report = campaign_check(consumer_app(), "/hook", probe="/processed", state="/state", rules=["newest-event-wins"])
    assert [finding.outcome for finding in report.rules] == ["pass"]
    newest: dict[str, int] = {}

    def consumer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        import json

        for event in json.loads(environ["wsgi.input"].read()):
            newest[event["recipientId"]] = max(event["created"], newest.get(event["recipientId"], 0))
        start_response("200 OK", [])
        return []

    report = campaign_check(consumer, "/hook", state=lambda: newest, rules=["newest-event-wins"])
    assert [finding.outcome for finding in report.rules] == ["pass"]
    with pytest.raises(MisuseError, match=r"^state is a dict, .* pass a function, such as state=lambda: app\.state$"):
        campaign_check(consumer, "/hook", state=newest, rules=["newest-event-wins"])  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["a file", "a list of events"])
def test_events_that_look_like_captured_ones(campaign_check: CampaignCheck, tmp_path: Path, given: str) -> None:
    body = dict(CAPTURED)["other-names"]
    like: Any = json.loads(body)
    if given == "a file":
        like = tmp_path / "captured.json"
        like.write_text(body, encoding="utf-8")
    consumer = consumer_app(shape=SHAPES["other-names"])
    report = campaign_check(consumer, "/hook", probe="/processed", state="/state", like=like, rules=(*QUICK, "order"))
    assert report.compliant
    consumer = consumer_app(shape=SHAPES["other-names"])
    report = campaign_check(consumer, "/hook", probe="/processed", shape=SHAPES["other-names"], rules=QUICK)
    assert report.compliant
    with pytest.raises(MisuseError, match=r"^a shape file corrects a file of captured events"):
        campaign_check(consumer, "/hook", like=json.loads(body), shape="shape.yaml")


def test_a_probe_that_is_the_list_itself(campaign_check: CampaignCheck, app: App) -> None:
    with pytest.raises(
        MisuseError, match=r"^probe is a list, .* pass a function, such as probe=lambda: app\.processed$"
    ):
        campaign_check(app, "/hook", probe=app.events, rules=["batch"])  # type: ignore[arg-type]
    assert campaign_check(app, "/hook", probe=lambda: app.events, rules=["batch"]).compliant


def test_over_sockets_and_with_a_loop(campaign_check: CampaignCheck, app: App) -> None:
    async def main() -> None:
        with pytest.raises(MisuseError, match=r"write `await campaign_check.awaited\(…\)`"):
            campaign_check(app)
        report = await campaign_check.awaited(consumer_app(), "/hook", probe="/processed", rules=["batch"])
        assert report.compliant

    asyncio.run(main())
    with serve_in_thread(consumer_app()) as url:
        assert campaign_check(url, "/hook", probe="/processed", rules=["batch"]).compliant


def test_unknown_rules(campaign_check: CampaignCheck, app: App) -> None:
    with pytest.raises(InvalidInputError, match="unknown rule or family 'bach', did you mean 'batch'"):
        campaign_check(app, rules=["bach"])
    with pytest.raises(
        InvalidInputError, match="allow: unknown rule 'stores-text-changed', did you mean 'stores-text-unchanged'"
    ):
        campaign_check(app, rules=["batch"], allow=["stores-text-changed"])


CHECKING = """
    import pytest
    from mockcampaign.samples.consumer import consumer_app

    def test_bad(campaign_check):
        campaign_check(consumer_app("responds-204"), "/hook", rules=["acknowledgement"])

    @pytest.mark.mockcampaign(allow={wrong}, seed=7)
    def test_marked(campaign_check):
        report = campaign_check(consumer_app("responds-204"), "/hook", rules=["acknowledgement"])
        assert (report.compliant, report.seed) == (True, 7)

    def test_allowed(campaign_check):
        consumer = consumer_app("responds-204")
        report = campaign_check(consumer, "/hook", rules=["acknowledgement"], allow={wrong})
        assert report.compliant
        assert set(finding.id for finding in report.rules if finding.known) == set({wrong})
    """


def test_each_rule_is_a_subtest(inner: Inner) -> None:
    if not hasattr(pytest, "Subtests"):
        pytest.skip("sub-results are built into pytest from version 9 on")
    wrong = violated()
    result = inner(CHECKING.format(wrong=wrong), "-rA")
    text = result.stdout.str()
    assert all(f"_ test_bad [{rule}] _" in text for rule in wrong)
    assert "test_allowed [" not in text
    assert "NOT COMPLIANT  1 of 1 rule violated; 1 needs a probe" in text
    assert text.count("SUBFAILED") == len(wrong)


def violated() -> list[str]:
    from mockcampaign.check.check import check
    from mockcampaign.check.settings import Settings
    from mockcampaign.transport.inprocess import AsgiTransport

    async def main() -> list[str]:
        transport = AsgiTransport(consumer_app("responds-204"))
        settings = Settings(now=1_700_000_000_000, rules=("acknowledgement",))
        report = await check("http://testserver/hook", transport=transport, settings=settings)
        await transport.aclose()
        return [finding.id for finding in report.rules if finding.outcome == "fail"]

    return asyncio.run(main())


def test_without_subtests_one_failure_has_all_findings(inner: Inner) -> None:
    wrong = violated()
    assert len(wrong) >= 1
    result = inner(CHECKING.format(wrong=wrong), "-p", "no:subtests")
    result.assert_outcomes(failed=1, passed=2)
    text = result.stdout.str()
    assert all(rule in text for rule in wrong)
    assert "NOT COMPLIANT" in text
    assert "required" in text


@pytest.mark.parametrize("by_url", [True, False])
@pytest.mark.parametrize(("kind", "outcome"), [(Consumer, "pass"), (CountsRedeliveredEvents, "fail")])
def test_counters_are_judged_as_well(
    campaign_check: CampaignCheck, kind: type[Consumer], outcome: str, by_url: bool
) -> None:
    consumer, rules = kind(Store(), None), ["once-after-lost-response"]
    counters = {"opens": "/count#events" if by_url else consumer.total}
    report = campaign_check(
        application(consumer), "/hook", probe="/processed", counters=counters, rules=rules, allow=rules
    )
    [found] = report.rules
    assert found.outcome == outcome
    assert found.identity == (None if outcome == "pass" else "by opens: duplicate after redelivered")


def test_a_check_waits_for_keys_that_live_for_minutes(
    campaign_check: CampaignCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []

    async def note(milliseconds: int) -> None:
        waited.append(milliseconds)

    monkeypatch.setattr(examiner, "pause", note)
    rules = ["once-after-lost-response", "once-at-end-of-check"]
    campaign_check(consumer_app(), "/hook", probe="/processed", rules=rules, memory="10m")
    assert len(waited) == 1
