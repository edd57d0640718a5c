"""Results of runs for the tests of reports: every outcome that a report can have to show, the same on every machine."""

from __future__ import annotations

from builders import Consumer, activated, exporter, happen, run
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Attempted, Entry, Probed, StepReached
from mockcampaign.judging.finding import Finding, Judgement
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.judging.verdict import RunResult, ScenarioResult, run_result, scenario_result
from mockcampaign.model import EventType, Measured, NoResponse, Outcome, Responded, TimedOut
from mockcampaign.report import sentences

MINUTE = 60_000

ANSWERS: dict[int, Outcome] = {
    2: Responded(
        503,
        (("content-type", "text/plain"), ("retry-after", "5")),
        b"busy, come again",
        16,
        measured=Measured(31_204, 164, 12_345),
    ),
    3: TimedOut("wait", measured=Measured(230, 0, 10_000_417)),
    4: NoResponse(
        "headers",
        "the connection was closed before the response headers ended",
        measured=Measured(31_204, 17, 98),
    ),
    5: Responded(302, (("location", "/hook/"),), b"", 0),
}
"""By number of the request; all others are answered with 200. What was measured is made up, and missing of one, as in
journals of consumers that are called in the same process."""

OK = Responded(200, (("content-type", "text/plain"),), b"ok", 2, measured=Measured(31_204, 98, 1_250))


def finding(identifier: str = "opens.delivered", outcome: Judgement = "pass", **changes: object) -> Finding:
    settings: dict[str, object] = {
        "id": identifier,
        "title": f"{identifier}: 253",
        "level": "must",
        "outcome": outcome,
        "requirement": "An event is delivered once the consumer has answered its list with 200 (guide).",
        "expected": "253",
        "actual": "253",
        "evidence": (),
        "place": f"scenarios/outage.scenario.yaml:14:{len(identifier)}",
    }
    return Finding(**{**settings, **changes})  # type: ignore[arg-type]


def outage(answers: dict[int, Outcome] = ANSWERS) -> Exporter:
    """Two webhooks, an outage of ten minutes, and a consumer that stumbles four times afterwards."""
    box = exporter()
    activated(box, url="http://consumer/opens")
    activated(box, EventType.CLICK, url="http://consumer/clicks")
    box.journal.append(StepReached(at=box.clock.now, index=0))
    happen(box, 253)
    happen(box, 7, EventType.CLICK)
    consumer = Consumer(lambda number: answers.get(number, OK))
    run(box, consumer, until=box.clock.now)
    box.declare_outage("refused", box.clock.now + 10 * MINUTE)
    happen(box, 30)
    run(box, consumer)
    box.journal.append(Probed(at=box.clock.now, count=290, events=None))
    return box


def scenario(
    *,
    name: str = "An outage, then all is well",
    journal: list[Entry] | None = None,
    findings: tuple[Finding, ...] = (finding(),),
    trouble: str | None = None,
    target: str = "http://consumer/opens",
    file: str = "scenarios/outage.scenario.yaml",
    strict: bool = False,
) -> ScenarioResult:
    entries = outage().journal.entries if journal is None else journal
    return scenario_result(
        name=name,
        file=file,
        target=target,
        trouble=trouble,
        webhooks={"opens": 1, "clicks": 2},
        rules=[rule.judge(entries, sentences.actual) for rule in JOURNAL_RULES],
        expectations=list(findings),
        journal=entries,
        strict=strict,
    )


def every_outcome() -> RunResult:
    """One scenario that went well, one that did not in every way there is, and one that could not be judged."""
    bad = outage().journal.entries
    lists = [position for position, entry in enumerate(bad) if isinstance(entry, Attempted)]
    return run_result(
        [
            scenario(journal=outage({}).journal.entries),
            scenario(
                name="A list is lost",
                journal=bad,
                findings=(
                    finding(),
                    finding(
                        "consumer.processed",
                        "fail",
                        title="consumer.processed: exactly-once",
                        expected="exactly-once",
                        actual="3 missing, first type=open mailId=3IHQ2XT8-38PY7WFQ-XKNQSY",
                        evidence=tuple(lists),
                    ),
                    finding("opens.pending", "not-exercised", actual="the run ended before this step"),
                    finding("opens.attempts", "could-not-tell", actual="the journal was cut"),
                ),
            ),
            scenario(
                name="Nobody there",
                journal=exporter().journal.entries,
                findings=(finding(outcome="not-exercised", actual="the run ended before this step"),),
                trouble="consumer http://consumer/opens: connection refused",
            ),
        ]
    )
