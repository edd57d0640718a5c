"""What a check came to, in every output: what was simulated is told apart, and what was never examined is there."""

from __future__ import annotations

import re
from typing import Any

import junitparser
import msgspec
import pytest

from builders import Consumer, activated, exporter, happen, run
from checks import checked
from mockcampaign.judging.fact import AnyFact, DependsOn, Needs
from mockcampaign.judging.finding import Finding, Judgement
from mockcampaign.judging.verdict import RunResult, SweepSummary, exit_status, run_result
from mockcampaign.model import Responded
from mockcampaign.policy import Policy
from mockcampaign.report.check_text import headline_lines
from mockcampaign.report.check_text import summary_lines as check_summary_lines
from mockcampaign.report.html import to_html
from mockcampaign.report.json_report import to_json
from mockcampaign.report.junit import to_junit
from mockcampaign.report.markdown import to_markdown
from mockcampaign.report.scenario_text import scenario_lines, summary_lines
from mockcampaign.report.sentences import headline, sweep_summary
from mockcampaign.samples.consumer import consumer_app
from results import scenario

WHEN = "2025-01-01T00:00:00"


def text_of(lines: Any) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


@pytest.fixture(scope="module")
def simulated() -> RunResult:
    """Two scenarios, in one of which most of three days was simulated: 16 attempts were made, and 25,904 were not."""
    box = exporter(policy=Policy(simulate_after=3))
    activated(box)
    happen(box, 3)
    run(box, Consumer(Responded(500)))
    return run_result([scenario(name="refused", journal=box.journal.entries), scenario(name="other")])


def test_attempts_that_were_not_made_are_told_apart_in_every_output(simulated: RunResult) -> None:
    [refused, _] = simulated.scenarios
    real, made_up = 16, 25_904
    assert (refused.deliveries.attempts, refused.deliveries.simulated) == (real, made_up)
    said = f"{real} attempts and {made_up:,} simulated"
    shown = msgspec.structs.replace(simulated, headline="")

    text = text_of(scenario_lines(refused, verbosity=1))
    assert f"  {said}: 0 events delivered" in text
    assert len(re.findall(r"batch of 3, simulated, attempts? \d", text)) == text.count(", simulated")
    assert re.search(rf"  refused +{real} and {made_up:,} simulated  ", text_of(summary_lines(simulated)))
    whole = simulated.deliveries
    assert f"{whole.attempts:,} attempts and {made_up:,} simulated, " in text_of(headline_lines(shown))

    document = msgspec.json.decode(to_json(simulated, full_journal=True))
    assert document["deliveries"]["simulated"] == made_up
    journal = document["scenarios"][0]["journal"]
    attempts = [entry for entry in journal if entry["entry"] == "attempted"]
    assert sum(entry["count"] for entry in attempts if entry.get("simulated")) == made_up
    assert sum(entry["count"] for entry in attempts if not entry.get("simulated")) == real

    assert f"  {said}: 0 events delivered" in to_junit(simulated, WHEN).decode()
    assert f"| {real} and {made_up:,} simulated |" in to_markdown(simulated)

    page = to_html(simulated).decode()
    assert f"<dt>Simulated, not sent</dt><dd>{made_up:,}</dd>" in page
    assert f'<td class="number" data-label="attempts">{real} and {made_up:,} simulated</td>' in page
    assert f"{real + made_up:,} failed, {made_up:,} of them simulated and not sent; at most" in page
    assert f"{said}: 0 events delivered" in page
    assert "batch of 3, simulated, attempts" in page


def test_nothing_is_called_simulated_where_all_was_sent() -> None:
    result = run_result([scenario()])
    documents = [text_of(scenario_lines(result.scenarios[0], verbosity=1)), to_junit(result, WHEN).decode()]
    documents += [to_markdown(result), re.sub("(?s)<(script|style).*?</", "", to_html(result).decode())]
    assert not [document for document in documents if "simulated" in document.lower()]


def test_rules_that_nobody_could_examine_are_in_every_document() -> None:
    """Where it is all of them, there is not even a journal."""
    for rules in (("once-after-lost-response",), ("responds-200", "once-after-lost-response")):
        result = checked(consumer_app(), probe=None, rules=rules)
        reason = "Needs a probe (--probe)"
        suites = list(junitparser.JUnitXml.fromstring(to_junit(result, WHEN)))
        cases = {case.name: case for suite in suites for case in suite}
        skipped = cases["Stores a batch once when its 200 was lost"].result
        assert [(type(one).__name__, one.message) for one in skipped] == [("Skipped", reason)]
        page = to_html(result).decode()
        assert "Stores a batch once when its 200 was lost" in page
        assert f"<dt>Reason</dt><dd>{reason}</dd>" in page
        row = page.partition("Stores a batch once when its 200 was lost")[2].partition("</tr>")[0]
        assert "<dt>Scenario</dt>" not in row
        assert "1 needs a probe" in to_markdown(result).replace("&#45;", "-")
        assert reason in text_of(check_summary_lines(result))


def test_a_rule_that_was_not_reached_is_skipped_in_junit() -> None:
    result = checked(
        consumer_app("always-responds-503"), probe=None, rules=("responds-200", "accepts-every-batch-size")
    )
    [examined, whole] = junitparser.JUnitXml.fromstring(to_junit(result, WHEN))
    assert (examined.failures, whole.skipped, whole.failures) == (1, 1, 0)


def findings(*outcomes: Judgement | tuple[Judgement, AnyFact | None, bool]) -> list[Finding]:
    made = []
    for number, one in enumerate(outcomes):
        outcome, fact, known = one if isinstance(one, tuple) else (one, None, False)
        made.append(
            Finding(
                id=f"rule-{number}",
                title="",
                level="must",
                requirement="",
                expected="",
                actual="",
                outcome=outcome,
                facts=() if fact is None else (fact,),
                known=known,
                evidence=(),
            )
        )
    return made


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        (["pass"] * 3, "no violation in 3 of 3 rules"),
        (["pass"], "no violation in 1 of 1 rule"),
        (["pass", "fail"], "1 of 2 rules violated"),
        (["fail"], "1 of 1 rule violated"),
        (["pass", "warn"], "no violation in 2 of 2 rules, but 1 hazard"),
        (["fail", "warn", "warn", "pass"], "1 of 4 rules violated, 2 hazards"),
        (
            ["pass", *[("not-exercised", Needs(need="probe"), False)] * 2],
            "no violation in 1 of 3 rules; 2 need a probe",
        ),
        (
            ["fail", ("not-exercised", Needs(need="probe"), False), ("not-exercised", DependsOn(rule_id="x"), False)],
            "1 of 1 rule violated; 1 needs a probe; 1 skipped",
        ),
        ([("fail", None, True), "pass"], "no violation in 2 of 2 rules; 1 known violation accepted"),
        (
            [("fail", None, True), ("warn", None, True), "fail", "pass"],
            "1 of 4 rules violated; 2 known violations accepted",
        ),
        (["pass", "could-not-tell"], "no violation in 1 of 2 rules; 1 inconclusive"),
    ],
)
def test_the_headline_counts_every_rule_once(outcomes: list[Any], said: str) -> None:
    assert headline(findings(*outcomes)) == said


def test_what_delivered_nothing_is_no_success() -> None:
    """A consumer that only ever answers 500 does answer completely."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    result = checked(app, probe=None, rules=("sends-complete-response",))
    assert [finding.outcome for finding in result.rules] == ["pass"]
    assert result.trouble == "Nothing was delivered, so nothing was shown"
    assert (result.compliant, exit_status(result)) == (False, 3)


def test_what_another_rule_shows_is_mended_and_shown_again_as_well() -> None:
    result = checked(consumer_app("responds-207"), rules=("responds-200", "accepts-every-batch-size"))
    basics, sizes = result.rules
    assert (basics.outcome, sizes.outcome) == ("fail", "fail")
    assert (basics.scenario, basics.identity) == ("accepts-every-batch-size", "207")
    assert basics.actual.startswith("Responded 207")
    assert "Campaign looks at the status alone" in (basics.fix or "")
    assert basics.reproduce == sizes.reproduce is not None


def test_a_rule_that_nobody_asked_for_violates_nothing() -> None:
    result = checked(consumer_app("responds-201"), rules=("accepts-charset-parameter",))
    assert [finding.outcome for finding in result.rules] == ["not-exercised"]
    assert exit_status(result) == 3


def test_what_a_sweep_did_not_come_to_is_not_said_to_hold() -> None:
    assert sweep_summary(SweepSummary(missed=2)) == "none of 2 other assumptions was tried"
    assert sweep_summary(SweepSummary(missed=0)) == "no examined rule depends on what is varied"
    some = SweepSummary(examinations=3, variations=1, missed=4, milliseconds=1_500)
    assert sweep_summary(some) == (
        "under 1 other assumption (4 more were not tried), 3 examinations in 1.5 s, the verdict holds in all that were "
        "conclusive"
    )
    doubtful = SweepSummary(examinations=3, variations=1, inconclusive=1, missed=0, milliseconds=1_500)
    assert sweep_summary(doubtful) == (
        "under 1 other assumption, 3 examinations and 1 inconclusive ones in 1.5 s, the verdict holds in all that were "
        "conclusive"
    )


def test_a_sweep_of_nothing_says_so() -> None:
    result = checked(consumer_app(), probe=None, rules=("rejects-unreadable-body",), sweep=True)
    assert result.sweep is not None
    assert sweep_summary(result.sweep) == "no examined rule depends on what is varied"
