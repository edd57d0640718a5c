"""The compliance check as a whole: its options, outcomes and totals."""

from __future__ import annotations

import asyncio
import datetime
import functools
import ipaddress
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from checks import COUNT, EVENTS, NOW, checked
from consumers.started import PASSWORD, USER
from judged import CREDENTIALS, checked_by_url, restartable
from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import CallableProbe, CommandProbe, UrlProbe
from mockcampaign.check.rules import CATALOGUE, FAMILIES, random_histories
from mockcampaign.check.rules.durability import losing_window
from mockcampaign.check.settings import Settings
from mockcampaign.check.sweep import VARIATIONS
from mockcampaign.cli import cli
from mockcampaign.errors import ConsumerUnreachableError, CouldNotTellError, InvalidInputError
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.earlier.baseline import Known
from mockcampaign.judging.fact import (
    AnyFact,
    Costs,
    EdgeCaseField,
    EventDifference,
    FieldChange,
    FieldsAltered,
    Needs,
    NotReached,
    Reply,
    Response,
    SmallestRejected,
    Stimulus,
    StoreDiffers,
    StoredPositions,
    Under,
    identity_of,
)
from mockcampaign.judging.finding import Finding, Judgement
from mockcampaign.judging.ledger import NO_DELIVERIES
from mockcampaign.judging.situation import Situation
from mockcampaign.judging.verdict import RunResult, exit_status
from mockcampaign.model import BasicAuthentication
from mockcampaign.policy import HOUR
from mockcampaign.report import sentences
from mockcampaign.report.check_text import check_lines, summary_lines
from mockcampaign.report.json_report import to_json
from mockcampaign.samples.bugs.batch import SharesBatchVariable
from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.bugs.payload import limited, rejecting, storing
from mockcampaign.samples.consumer import BUGS, application, consumer_app, serve_consumer
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Identity, Store
from mockcampaign.serving import serve_in_thread
from mockcampaign.shape.field import Event
from mockcampaign.transport.inprocess import AsgiTransport

NEEDS_CREDENTIALS = "Needs the credentials that the consumer demands (--basic-auth or --key-auth)"


def changing_field(name: str, change: Callable[[str], Any]) -> type[Consumer]:
    """A consumer that stores a field changed in that way if it is text."""
    return storing(lambda event: event | {name: change(event[name])} if isinstance(event.get(name), str) else event)


def outcomes(result: RunResult) -> dict[str, str]:
    return {finding.id: finding.outcome for finding in result.rules}


@functools.cache
def by_all_rules() -> tuple[RunResult, tuple[Finding, ...]]:
    """Check the correct sample by all rules, once for all tests; return the result and the reported findings."""
    told: list[Finding] = []
    result = checked(consumer_app(), told=told)
    return result, tuple(told)


def test_a_correct_consumer_violates_nothing_and_no_rule_is_inconclusive() -> None:
    result, _ = by_all_rules()
    assert {finding.id: finding.actual for finding in result.rules if finding.outcome in ("fail", "warn")} == {}
    assert {finding.id: finding.reason for finding in result.rules if finding.outcome == "could-not-tell"} == {}
    assert result.compliant
    assert exit_status(result) == 0


def test_a_json_report_of_a_compliant_check_is_at_most_a_megabyte_unless_it_contains_the_journals() -> None:
    result, _ = by_all_rules()
    assert result.compliant
    report = to_json(result)
    assert len(report) <= 1_000_000
    assert not [scenario["name"] for scenario in json.loads(report)["scenarios"] if scenario["journal"]]
    full = to_json(result, full_journal=True)
    assert len(full) > 1_000_000, "or the journals are missing"
    whole = json.loads(full)
    attempts = sum(
        entry["count"]
        for scenario in whole["scenarios"]
        for entry in scenario["journal"]
        if entry["entry"] == "attempted"
    )
    journaled = sum((scenario.deliveries for scenario in result.scenarios), NO_DELIVERIES)
    assert attempts == journaled.attempts + journaled.simulated > 1_000


@pytest.mark.slow
def test_a_probe_of_a_number_is_enough_for_rules_that_need_no_events() -> None:
    result = checked(consumer_app(), probe=COUNT)
    assert result.compliant
    needy = {rule.id for rule in CATALOGUE if "probe events" in rule.needs}
    skipped = {finding.id for finding in result.rules if Needs(need="probe events") in finding.facts}
    assert skipped == needy
    assert "once-after-lost-response" not in needy


@pytest.mark.parametrize("probe", [EVENTS, COUNT])
def test_a_bug_is_found_with_either_kind_of_probe(probe: Probe) -> None:
    rules = ("responds-200", "stores-repeat-engagement")
    assert (
        outcomes(checked(consumer_app("dedup-key-mail-id"), probe=probe, rules=rules))["stores-repeat-engagement"]
        == "fail"
    )


@pytest.mark.slow
def test_without_a_probe_no_rule_that_needs_one_counts_as_passed() -> None:
    result = checked(consumer_app(), probe=None)
    for rule in CATALOGUE:
        if set(rule.needs) - {"batches"}:
            assert outcomes(result)[rule.id] == "not-exercised"
    exercised = sum(outcome == "pass" for outcome in outcomes(result).values())
    assert result.headline is not None
    assert result.headline.startswith(f"no violation in {exercised} of {len(CATALOGUE)} rules; ")
    assert "need a probe" in result.headline
    assert result.compliant
    printed = ["".join(text for text, _ in line) for line in summary_lines(result)]
    # One line for all rules with the same need.
    assert sum(line.endswith(f" skipped        {NEEDS_CREDENTIALS}") for line in printed) == 1


@pytest.mark.slow
def test_strict_makes_the_verdict_inconclusive_if_a_must_rule_was_skipped() -> None:
    result = checked(consumer_app(), probe=None, strict=True)
    assert not result.compliant
    assert exit_status(result) == 3
    assert result.trouble is not None
    assert re.fullmatch(
        r"\d+ must-rules were skipped, which --strict does not allow: the first is [a-z-]+", result.trouble
    )


def test_a_check_that_examines_nothing_is_no_success() -> None:
    result = checked(consumer_app(), probe=None, rules=("once-after-lost-response",))
    assert exit_status(result) == 3
    assert result.trouble == "No rule was examined"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("hook", "got 401, so give the check the credentials that the consumer demands (--basic-auth or --key-auth)"),
        ("hooks", "got 404, so correct the path of the URL"),
    ],
)
def test_a_chosen_rule_that_meets_wrong_credentials_or_a_wrong_path_says_so(path: str, says: str) -> None:
    app = consumer_app(basic_authentication=BasicAuthentication("acme", "secret"))
    settings = Settings(now=NOW, seed=1, rules=("stores-repeat-engagement",))
    probe = CallableProbe(list)
    checking = check(f"http://app/{path}", transport=AsgiTransport(app), settings=settings, probe=probe)
    assert asyncio.run(checking).trouble == f"No rule was examined: ordinary batches {says}"


def test_no_other_rule_is_reached_when_the_basics_fail() -> None:
    result = checked(consumer_app("always-responds-503"))
    assert outcomes(result).pop("responds-200") == "fail"
    assert {outcome for rule, outcome in outcomes(result).items() if rule != "responds-200"} == {"not-exercised"}
    not_reached = NotReached(why="basics-violated", rule_id="responds-200")
    assert any(finding.facts == (not_reached,) for finding in result.rules)
    assert exit_status(result) == 1
    # One line of the summary for all rules that were not reached, unless each is asked for.
    unreached = sum(not_reached in one.facts for one in result.rules)
    for lines, number in (
        (check_lines(result, verbosity=-1), 0),
        (check_lines(result), 0),
        (check_lines(result, verbosity=1), unreached),
        (summary_lines(result), 1),
    ):
        printed = ["".join(text for text, _ in line) for line in lines]
        assert sum("Not reached: all rules depend on responds-200" in line for line in printed) == number
        assert any("FAIL responds-200" in line for line in printed)
    assert f"  {unreached} skipped " in "\n".join("".join(text for text, _ in line) for line in summary_lines(result))


def rejecting_with(status: int) -> Any:
    """Return a consumer that rejects all but the right credentials, with this status."""

    class Rejecting(Consumer):
        rejection_status = status

    return application(Rejecting(Store(), BasicAuthentication("acme", "right")))


@pytest.mark.parametrize("status", [401, 403])
def test_missing_credentials_of_the_check_are_no_violation_but_asked_for(status: int) -> None:
    result = checked(rejecting_with(status))
    basics = result.rules[0]
    assert (basics.id, basics.outcome) == ("responds-200", "could-not-tell")
    said = f"Responded {status} to a batch of 1 event without credentials: if the consumer demands credentials, "
    assert (basics.reason or "").startswith(f"{said}give them with --basic-auth or --key-auth")
    assert {finding.outcome for finding in result.rules[1:]} == {"not-exercised"}
    assert exit_status(result) == 3


def test_wrong_credentials_are_a_violation_whose_fix_names_them() -> None:
    result = checked(rejecting_with(401), authentication=BasicAuthentication("acme", "wrong"), rules=("responds-200",))
    [basics] = result.rules
    assert (basics.outcome, exit_status(result)) == ("fail", 1)
    said = "Responded 401 to a batch of 1 event with the credentials of this check; the 401 says: "
    assert basics.actual.startswith(said)
    assert "the credentials that the consumer demands (--basic-auth or CHECK_BASIC_AUTH" in (basics.fix or "")


@pytest.mark.parametrize("status", [404, 405, 410])
def test_a_wrong_path_is_no_violation(status: int) -> None:
    result = checked(rejecting_with(status), rules=("responds-200", "accepts-valid-credentials"))
    basics, other = result.rules
    said = f"Responded {status} to a batch of 1 event: there is no route at this path, or none for POST, so compare the"
    assert (basics.outcome, (basics.reason or "").startswith(said)) == ("could-not-tell", True), basics.reason
    assert (other.outcome, exit_status(result)) == ("not-exercised", 3)


def test_no_other_status_mentions_credentials() -> None:
    [basics] = checked(rejecting_with(422), rules=("responds-200",)).rules
    assert basics.outcome == "fail"
    assert "credentials" not in f"{basics.actual.partition('; the 422 says: ')[0]} {basics.fix}"


@pytest.mark.slow
def test_findings_are_the_same_for_the_same_seed() -> None:
    # All other rules are compared by `test_same_findings`, even between two processes.
    rules = (
        "identity",
        "drains-backlog",
        "survives-many-requests",
        "compares-credentials-in-constant-time",
        "accepts-events-ahead-of-clock",
    )
    first, second = [checked(consumer_app("dedup-key-created"), rules=rules, examples=5) for _ in range(2)]
    assert not first.compliant
    assert to_json(first) == to_json(second)


@pytest.mark.slow
@pytest.mark.parametrize("probe", [EVENTS, COUNT])
def test_one_consumer_can_be_checked_again_without_a_reset(probe: Probe) -> None:
    app = consumer_app()
    for seed in (1, 2):
        result = checked(app, probe=probe, seed=seed, examples=5)
        assert {finding.id: finding.actual for finding in result.rules if finding.outcome in ("fail", "warn")} == {}
        assert result.headline is not None
        assert "inconclusive" not in result.headline


def test_findings_are_reported_one_by_one() -> None:
    result, told = by_all_rules()
    assert [finding.id for finding in told] == [finding.id for finding in result.rules]


def test_rules_and_families_can_be_selected_and_skipped() -> None:
    chosen = checked(consumer_app(), rules=("batch", "responds-200"), skip=("accepts-every-batch-size",))
    ids = {rule.id for rule in CATALOGUE if rule.family == "batch"} | {"responds-200"}
    assert set(outcomes(chosen)) == ids - {"accepts-every-batch-size"}


def test_an_unknown_rule_is_an_error_with_a_hint() -> None:
    with pytest.raises(InvalidInputError, match="unknown rule or family 'responds-20', did you mean 'responds-200'"):
        checked(consumer_app(), rules=("responds-20",))


def test_a_consumer_that_is_not_running_is_no_violation() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.failed"})

    for rules in ((), ("once-after-lost-response", "accepts-charset-parameter")):  # the first of which needs a probe
        with pytest.raises(ConsumerUnreachableError):
            checked(broken, probe=None, rules=rules)


def test_a_probe_can_be_a_function() -> None:
    async def run() -> RunResult:
        transport = AsgiTransport(consumer_app("stores-first-event-only"))
        probe = UrlProbe(EVENTS, transport, timeout=5_000)
        try:
            return await check(
                "http://app/hook",
                transport=transport,
                settings=Settings(now=NOW, rules=("stores-every-event",)),
                probe=CallableProbe(probe.ask),
            )
        finally:
            await transport.aclose()

    [finding] = asyncio.run(run()).rules
    assert finding.outcome == "fail"
    said = "Responded 200 to a batch of 2 events; 1 event is missing from the store: "
    assert finding.actual.startswith(said)
    assert finding.actual.endswith("; stored only number 1 of 2 events")


@pytest.mark.slow
def test_a_store_may_lag_behind_if_the_check_waits_for_it() -> None:
    """A consumer that stores events shortly after its response passes with `settle`."""
    rules = ("stores-before-acknowledging", "stores-every-event", "once-after-lost-response")
    assert exit_status(checked(consumer_app("acknowledges-before-storing"), rules=rules)) == 1
    patient = checked(consumer_app("acknowledges-before-storing"), rules=rules, settle=2_000)
    assert set(outcomes(patient).values()) == {"pass"}


def command_probe(code: str, **more: Any) -> Any:
    probe = CommandProbe(shlex.join([sys.executable, "-c", code]), timeout=20_000, **more)
    return asyncio.run(probe.ask())


def test_a_probe_can_be_a_command() -> None:
    events = [{"mailId": "A"}]
    assert command_probe('print(\'{"x": [{"mailId": "A"}]}\')', events="x") == events
    assert command_probe("print('[1, 2]')", count="length(@)") == 2


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('hello')", "probe command: did not print JSON"),
        (r"import sys; sys.stdout.buffer.write(b'[\"\xe4\"]')", "did not print JSON: it is not UTF-8"),
        ("print('[' * 10_000 + ']' * 10_000)", "did not print JSON: it is nested too deeply"),
        ("print('[1]')", "probe command: the response is a list whose element 0 is 1, expected a list of events"),
        ("raise SystemExit(3)", ": ended with status 3"),
    ],
)
def test_a_probe_command_that_fails_is_inconclusive(code: str, message: str) -> None:
    with pytest.raises(CouldNotTellError, match=re.escape(message)):
        command_probe(code)


@pytest.mark.parametrize("command", ["", "'open"])
def test_an_invalid_probe_command_is_an_error(command: str) -> None:
    with pytest.raises(InvalidInputError, match="allowed: "):
        CommandProbe(command, timeout=1_000)


def test_the_same_seed_twice_on_one_consumer_is_an_error() -> None:
    app = consumer_app()
    checked(app, rules=("responds-200",))
    with pytest.raises(Exception, match="choose another --seed"):
        checked(app, rules=("responds-200",))


def test_every_rule_explains_itself() -> None:
    ids = [rule.id for rule in CATALOGUE]
    assert len(ids) == len(set(ids))
    for rule in CATALOGUE:
        assert rule.family in FAMILIES
        assert "(" in rule.requirement, f"{rule.id} names no source"
        assert rule.title
        assert rule.expected
        assert rule.fix
        assert rule.example


@pytest.mark.slow
def test_rules_that_depend_on_an_assumption_are_swept() -> None:
    rules = ("accepts-charset-parameter", "once-in-regrouped-batch", "drains-backlog", "responds-in-time")
    correct = checked(consumer_app(), rules=rules, sweep=True)
    found = {finding.id: list(map(sentences.swept, finding.swept)) for finding in correct.rules}
    assert found["accepts-charset-parameter"] == ["passed with a Content-Type with charset=utf-8"]
    assert found["once-in-regrouped-batch"] == [
        "passed with retried batches topped up with newer events",
        "passed with redelivered events in another order and spelling of fields",
    ]
    assert found["responds-in-time"] == ["passed with a time-out of 5 s", "passed with a time-out of 30 s"]
    assert found["drains-backlog"] == ["passed with later batches before earlier ones"]
    assert correct.compliant
    assert correct.seed == 1
    assert "drains-backlog, later batches before earlier ones" in {scenario.name for scenario in correct.scenarios}


class DropsLateListsOfAMailing(Consumer):
    """Drops late batches, which the usual order of delivery never contains."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.newest: dict[int, int] = {}

    async def process(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            if event["created"] >= self.newest.get(event["mailingId"], 0):
                await super().process([event])
                self.newest[event["mailingId"]] = event["created"]


@pytest.mark.slow
def test_a_pass_that_does_not_hold_under_every_variation_is_a_hazard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast(dict[str, Bug], BUGS), "drops-late-lists", Bug("", DropsLateListsOfAMailing))
    result = checked(consumer_app("drops-late-lists"), rules=("drains-backlog",), sweep=True)
    [finding] = result.rules
    assert finding.outcome == "warn"
    assert list(map(sentences.swept, finding.swept)) == ["violated with later batches before earlier ones"]
    assert exit_status(result) == 0
    [swept_fact] = [fact for fact in finding.facts if isinstance(fact, Under)]
    assert swept_fact.variation == "later batches before earlier ones"
    [differs] = [fact for fact in swept_fact.facts if isinstance(fact, StoreDiffers)]
    assert differs.missing
    said = sentences.actual(swept_fact.facts)
    assert f"; with later batches before earlier ones: {said[0].lower()}{said[1:]}" in finding.actual
    assert finding.fix
    assert finding.differences
    assert finding.reproduce is not None
    assert "with --rules drains-backlog --sweep" in (finding.reproduce.without_curl or "")


def swept(bug: type[Consumer], rule: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Finding, str]:
    """Return the finding of the rule, and the sentence about all variations."""
    monkeypatch.setitem(cast(dict[str, Bug], BUGS), "swept", Bug("", bug))
    result = checked(consumer_app("swept"), rules=(rule,), sweep=True)
    [finding] = result.rules
    assert result.sweep is not None
    return finding, re.sub(r" in [0-9.]+ s", "", sentences.sweep_summary(result.sweep))


def test_a_failure_only_beside_another_webhook_is_a_hazard(monkeypatch: pytest.MonkeyPatch) -> None:
    finding, said = swept(SharesBatchVariable, "stores-every-event", monkeypatch)
    assert finding.outcome == "warn"
    assert list(map(sentences.swept, finding.swept)) == [
        "violated with another webhook delivering at the same moment",
        "passed with webhooks that deliver one after another",
    ]
    assert said == (
        "under 2 other assumptions, 2 examinations, the verdict depends: stores-every-event is violated with "
        "another webhook delivering at the same moment"
    )


def test_a_pass_only_when_webhooks_deliver_in_turn_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    finding, said = swept(SharesBatchVariable, "handles-concurrent-batches", monkeypatch)
    assert finding.outcome == "fail"
    assert list(map(sentences.swept, finding.swept)) == [
        "violated with another webhook delivering at the same moment",
        "passed with webhooks that deliver one after another",
    ]
    assert said.endswith("handles-concurrent-batches is kept with webhooks that deliver one after another")


SHORT, LONG = (one.name for one in VARIATIONS if one.behaviour == "lengths")


@pytest.mark.parametrize(
    ("bytes_max", "outcome", "short", "long", "said"),
    [
        (60_000, "fail", "fail", "fail", "holds in all"),
        (100_000, "fail", "pass", "fail", f"depends: accepts-largest-batch is kept with {SHORT}"),
        (200_000, "warn", "pass", "fail", f"depends: accepts-largest-batch is violated with {LONG}"),
        (1_000_000, "pass", "pass", "pass", "holds in all"),
    ],
)
def test_a_limit_on_bodies_depends_on_how_long_texts_may_be(
    bytes_max: int, outcome: str, short: Judgement, long: Judgement, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding, sentence = swept(limited(bytes_max), "accepts-largest-batch", monkeypatch)
    assert finding.outcome == outcome
    assert list(map(sentences.swept, finding.swept)) == [
        f"{sentences.OUTCOMES[short]} with {SHORT}",
        f"{sentences.OUTCOMES[long]} with {LONG}",
    ]
    assert sentence == f"under 2 other assumptions, 2 examinations, the verdict {said}"


def test_an_address_in_another_spelling_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def inet(address: str) -> str:
        return str(ipaddress.ip_address(address))

    monkeypatch.setitem(cast(dict[str, Bug], BUGS), "inet", Bug("", changing_field("remoteAddress", inet)))
    result = checked(consumer_app("inet"), rules=("accepts-ipv6", "stores-fields-unchanged"))
    assert outcomes(result) == {"accepts-ipv6": "pass", "stores-fields-unchanged": "pass"}
    cut = Bug(
        "", changing_field("remoteAddress", lambda address: address.removesuffix("1") if ":" in address else address)
    )
    monkeypatch.setitem(cast(dict[str, Bug], BUGS), "cut", cut)
    assert outcomes(checked(consumer_app("cut"), rules=("accepts-ipv6",), seed=1)) == {"accepts-ipv6": "fail"}


def test_a_probe_may_report_times_as_date_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def dated(divisor: int) -> type[Consumer]:
        def kept(event: dict[str, Any]) -> dict[str, Any]:
            at = datetime.datetime.fromtimestamp(event["created"] // divisor * divisor / 1_000, datetime.UTC)
            return event | {"created": at.isoformat()}

        return storing(kept)

    for divisor, told in ((1, {"pass"}), (1_000, {"pass", "fail"})):
        monkeypatch.setitem(cast(dict[str, Bug], BUGS), "dated", Bug("", dated(divisor)))
        result = checked(
            consumer_app("dated"), rules=("stores-created-exactly", "stores-fields-unchanged", "stores-late-events")
        )
        assert set(outcomes(result).values()) == told


@pytest.mark.parametrize("events", ["[].{payload: @}", "[].{mail_id: mailId, created: created}", "[].{mailId: id}"])
def test_a_probe_without_mail_ids_is_no_violation_but_asked_for_them(events: str) -> None:
    with pytest.raises(CouldNotTellError, match=r"^probe: none of 1 element has mailId, by which .*--probe-events"):
        checked(consumer_app(), probe=Probe(url=EVENTS.url, events=events))


def test_a_consumer_may_reject_all_clients_but_the_named_one(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Bug("", rejecting(lambda event: event.get("clientId") != 4_711))
    monkeypatch.setitem(cast(dict[str, Bug], BUGS), "mine", mine)
    result = checked(consumer_app("mine"), rules=("payload", "bad event"), client_id=4_711, examples=5)
    assert set(outcomes(result).values()) == {"pass"}


def test_no_event_is_too_old_for_the_clock_of_the_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    # Campaign discards events after three days: no consumer has to accept or remember older ones, beyond a margin.
    def strange(event: dict[str, Any]) -> bool:
        return not NOW - 84 * HOUR <= event.get("created", NOW) <= NOW

    monkeypatch.setitem(cast(dict[str, Bug], BUGS), "strange", Bug("", rejecting(strange)))
    # Two rules are about just such events: they are hazards at most.
    beyond = {"accepts-events-ahead-of-clock", "stores-times-of-clock-changes"}
    reaching_far = tuple(rule.id for rule in CATALOGUE if rule.span or rule.family in ("redelivery", "order"))
    result = checked(consumer_app("strange"), rules=reaching_far, skip=("drains-backlog",), examples=2)
    needing = {one.id for one in result.rules if any(isinstance(fact, Needs) for fact in one.facts)}
    assert {one.outcome for one in result.rules if one.id not in needing | beyond} == {"pass"}
    assert [outcomes(result)[rule] for rule in sorted(beyond)] == ["warn", "not-exercised"]


def test_random_histories_end_when_their_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_histories, "SEARCHING", 0)
    monkeypatch.setattr(random_histories, "REDUCING_MAX", 1_000_000)  # more than there is
    [finding] = checked(consumer_app(), rules=("survives-random-histories",)).rules
    assert (finding.outcome, finding.actual) == (
        "pass",
        "20 histories, for which there was time, ended with each event stored once (--budget)",
    )


# The command line


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_in_thread(consumer_app()) as base:
        yield base


def command(*arguments: str) -> int:
    status: int = cli.main(list(arguments), standalone_mode=False)
    return status


@pytest.mark.slow
def test_check_over_sockets(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    status = command(
        "check",
        f"{url}/hook",
        "--probe",
        f"{url}/processed",
        "--report-json",
        str(report),
        "--no-color",
        "--skip",
        "http",
        "--examples",
        "5",
    )
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert "compliant  no violation in " in printed
    written = json.loads(report.read_bytes())
    assert written["compliant"] is True
    assert {rule["id"] for rule in written["rules"]} == {rule.id for rule in CATALOGUE if rule.family != "http"}


def test_rules_are_listed_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("rules") == 0
    listed = capsys.readouterr().out
    assert all(rule.id in listed for rule in CATALOGUE)
    assert command("rules", "once-after-lost-response") == 0
    explained = capsys.readouterr().out
    assert "Campaign retries a batch that is not acknowledged every 10 seconds" in explained
    assert "ON CONFLICT" in explained
    with pytest.raises(InvalidInputError, match="unknown rule 'once'"):
        command("rules", "once")


def test_known_violations_are_accepted_and_new_ones_are_not() -> None:
    families = ("responds-200", "identity")
    known = (Known("stores-repeat-engagement"), Known("responds-200"))
    result = checked(consumer_app("dedup-key-mail-id"), rules=families, known=known)
    assert {finding.id for finding in result.rules if finding.known} == {"stores-repeat-engagement"}
    assert exit_status(result) == 0
    assert result.headline is not None
    assert "1 known violation accepted" in result.headline
    assert exit_status(checked(consumer_app("dedup-key-mail-id"), rules=families, known=(Known("responds-200"),))) == 1


def test_another_violation_of_a_known_rule_is_new_and_the_old_one_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    first = checked(consumer_app("stores-ids-as-text"), rules=("stores-fields-unchanged",))
    [known] = [Known(finding.id, finding.identity) for finding in first.rules]
    again = checked(consumer_app("stores-ids-as-text"), rules=("stores-fields-unchanged",), known=(known,), seed=2)
    assert (exit_status(again), again.gone) == (0, ())
    monkeypatch.setitem(
        cast(dict[str, Bug], BUGS), "upper-case", Bug("", changing_field("recipientId", lambda text: f"#{text}"))
    )
    other = checked(consumer_app("upper-case"), rules=("stores-fields-unchanged",), known=(known,))
    assert exit_status(other) == 1
    assert not other.rules[0].known
    assert other.gone == ("stores-fields-unchanged: altered(clientId,mailingId,subscriptionId,userListId)",)


def test_a_fixed_known_violation_is_gone_but_not_one_of_a_rule_that_was_skipped() -> None:
    known = (
        Known("stores-repeat-engagement", "missing"),
        Known("stores-created-exactly", "altered(created)"),
        Known("once", None),
    )
    result = checked(consumer_app(), rules=("stores-repeat-engagement",), known=known)
    assert result.gone == ("stores-repeat-engagement: missing", "once")
    unexercised = checked(consumer_app(), rules=("stores-repeat-engagement", "responds-200"), probe=None, known=known)
    assert unexercised.gone == ("once",)


def _edge_case(value: str) -> Stimulus:
    field = EdgeCaseField(name="device", value=value, absent=not value)
    return Stimulus(situation=Situation.EDGE_CASE, edge_cases=(field,))


BATCH_OF_100 = Stimulus(situation=Situation.BATCH, events=100)
LOST = EventDifference(kind="missing", event="type=open mailId=A recipientId=a b created=17")


@pytest.mark.parametrize(
    ("facts", "identity"),
    [
        (
            (StoreDiffers(after=BATCH_OF_100, missing=1, examples=(LOST,)), StoredPositions(events=100, stored=(1,))),
            "missing after batch",
        ),
        (
            (Response(to=BATCH_OF_100, replies=(Reply(status=200),)), StoreDiffers(missing=3, duplicate=2)),
            "200 to batch; missing+duplicate",
        ),
        ((StoreDiffers(altered=4, changed_fields=("created", "browser")),), "altered(browser,created)"),
        ((Response(to=_edge_case(""), replies=(Reply(status=500),)),), "500 to edge-case[device=absent]"),
        (
            (Response(to=_edge_case('"smarttv"'), replies=(Reply(status=400), Reply(status=503), Reply(status=503))),),
            "400>503 to edge-case[device=text]",
        ),
        (
            (Response(to=BATCH_OF_100, replies=(Reply(status=413),)), SmallestRejected(events=100)),
            "413 to batch",
        ),
        (
            (
                Costs(of=BATCH_OF_100, reply=Reply(status=503), requests=25_920, body_bytes=10**9, events_lost=1),
                Response(to=BATCH_OF_100, replies=(Reply(status=204),)),
            ),
            "503 to batch; 204 to batch",
        ),
        (
            (FieldsAltered(changes=(FieldChange(name="created", sent="1795493475001", stored="1795493475000"),)),),
            "altered(created)",
        ),
    ],
)
def test_an_identity_contains_nothing_that_varies(facts: tuple[AnyFact, ...], identity: str) -> None:
    assert identity_of(facts) == identity


@pytest.mark.parametrize("bug", ["dedup-key-mail-id", "never-deduplicates", "requires-device", "truncates-text-at-40"])
def test_a_bug_has_the_same_identity_with_any_seed(bug: str) -> None:
    rules = ("stores-repeat-engagement", "once-after-lost-response", "accepts-absent-fields", "stores-text-unchanged")
    found = [{rule.identity for rule in checked(consumer_app(bug), rules=rules, seed=seed).rules} for seed in (1, 77)]
    assert found[0] == found[1] != {None}


def test_a_baseline_accepts_the_violations_of_an_earlier_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, baseline = tmp_path / "report.json", tmp_path / "accepted.toml"
    rules = ("--rules", "identity", "--no-color")
    for number, more in enumerate((("--report-json", str(report)), ("--baseline", str(baseline)))):
        with serve_in_thread(consumer_app("dedup-key-mail-id")) as base:
            status = command("check", f"{base}/hook", "--probe", f"{base}/processed", *rules, *more)
        assert status == 1 - number, capsys.readouterr().out
        if not number:
            assert command("baseline", "write", str(report), "-o", str(baseline)) == 0
    assert 'rule = "stores-repeat-engagement"\nidentity = "missing after repeat-engagement[open]"\n' in (
        baseline.read_text()
    )
    capsys.readouterr()
    with serve_in_thread(consumer_app()) as base:
        assert command("check", f"{base}/hook", "--probe", f"{base}/processed", *rules, *more) == 0
    told = capsys.readouterr()
    assert "gone  stores-repeat-engagement: missing after repeat-engagement[open]" in told.out
    assert told.err == ""


def test_a_check_makes_the_folder_for_its_scenarios_and_writes_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "not" / "there"
    rules = ("--rules", "stores-repeat-engagement,accepts-generated-batches", "--examples", "5")
    with serve_in_thread(consumer_app("dedup-key-mail-id")) as base:
        probe = ("--probe", f"{base}/processed")
        process = subprocess.run(
            [
                sys.executable,
                "-m",
                "mockcampaign",
                "check",
                f"{base}/hook",
                *probe,
                *rules,
                "--scenarios",
                "not/there",
                "-v",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert (process.returncode, process.stderr) == (1, "")
    assert [path.name for path in tmp_path.iterdir()] == ["not"]
    assert [path.name for path in folder.iterdir()] == ["stores-repeat-engagement.scenario.yaml"]
    assert str(Path("not", "there", "stores-repeat-engagement.scenario.yaml")) in process.stdout


def test_a_folder_for_scenarios_that_cannot_be_created_is_an_error_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInputError, match=r"--scenarios .*: cannot be created: "):
        command("check", "http://127.0.0.1:1/", "--scenarios", str(tmp_path / "file" / "folder"))


def quick_to_reject_again(app: Any) -> Any:
    """Return the same consumer, which rejects a body as it did if it has just rejected it.

    Otherwise the 25,920 attempts of a batch would cost seconds of examining the same events in the same way.
    """
    rejected: list[tuple[str, str, bytes]] = []
    response: list[Any] = []

    async def consumer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        received = [await receive()]
        while received[-1].get("more_body"):
            received.append(await receive())
        request = (scope["method"], scope["path"], b"".join(part.get("body", b"") for part in received))
        if request in rejected and received[-1]["type"] == "http.request":
            for message in response:
                await send(message)
            return

        async def receive_again() -> Any:
            return received.pop(0) if received else await receive()

        sent: list[Any] = []

        async def send_and_keep(message: Any) -> None:
            sent.append(message)
            await send(message)

        rejected.clear()
        await app(scope, receive_again, send_and_keep)
        if sent and sent[0]["status"] != 200:
            rejected.append(request)
            response[:] = sent

    return consumer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bug", "rules", "spans"),
    [
        ("requires-device", ("accepts-whatever-campaign-sends", "bad-event-blocks-nothing"), 2),
        ("always-responds-503", ("responds-200", "accepts-whatever-campaign-sends"), 1),
        ("rejects-many-identical-events", ("responds-200", "accepts-whatever-campaign-sends", "isolates-bad-event"), 1),
        ("rejects-nul", ("responds-200", "batch", "bad event", "cost of failure", "payload"), 2),
        # Nothing is rejected for long, so no attempt is simulated.
        (None, ("responds-200", "bad event", "cost of failure"), 0),
    ],
)
def test_full_fidelity_reaches_the_same_verdict(bug: str | None, rules: tuple[str, ...], spans: int) -> None:
    verdicts = []
    for full_fidelity in (False, True):
        app = quick_to_reject_again(consumer_app(bug))
        result = checked(app, rules=rules, full_fidelity=full_fidelity, examples=5)
        told = [(finding.id, finding.outcome, finding.actual, finding.reason) for finding in result.rules]
        verdicts.append((told, result.headline, exit_status(result)))
        deliveries = result.deliveries
        assert (deliveries.simulated > 0) is (spans > 0 and not full_fidelity)
        assert (deliveries.attempts + deliveries.simulated) // 25_920 == spans
    assert verdicts[0] == verdicts[1]
    assert sum(actual.count("costs 25,920 requests and") for _, _, actual, _ in verdicts[0][0]) == spans


def test_every_status_is_reported_with_what_it_costs_if_anything() -> None:
    result = checked(consumer_app("rejects-many-identical-events"), rules=("accepts-whatever-campaign-sends",))
    assert re.fullmatch(
        r"A 400 to a batch of 100 identical events costs 25,920 requests and \d+ MB, and then Campaign discards 100 "
        "events; "
        "a 400 to a body that is not JSON costs nothing; a 400 to an object instead of a list costs nothing; a 400 "
        "to an empty body costs nothing",
        result.rules[0].actual,
    )
    [finding] = checked(consumer_app(), rules=("accepts-whatever-campaign-sends",)).rules
    said = "Responded 200 to everything Campaign may send; a 400 to a body that is not JSON costs nothing; "
    assert finding.actual.startswith(said)


def test_a_bad_event_is_reported_with_its_field_and_what_it_costs_the_good_ones() -> None:
    result = checked(consumer_app("rejects-nul"), rules=("bad-event-blocks-nothing",))
    [finding] = result.rules
    assert re.match(
        r'Responded 400 to 99 good events and one with browser "a\\u0000b"; this costs 25,920 requests and \d+ MB, '
        r"and then Campaign discards 100 events; 100 events that occur an hour later wait 2d23h; the 400 says: ",
        finding.actual,
    )


@pytest.mark.parametrize(
    ("bug", "said"),
    [
        (
            "dedup-key-mail-id-created",
            "Deduplicates opens on no more than mailId and created: 19 of 21 pairs of nearly equal events were "
            "treated as one event, and 5 of 40 realistic opens are missing from the store",
        ),
        (
            "dedup-key-batch-hash",
            "Its deduplication key holds more than the event, such as the batch or the request: 40 of 40 realistic "
            "opens were stored twice when they were redelivered in a longer batch",
        ),
    ],
)
def test_a_deduplication_key_is_reported_with_what_it_loses_and_duplicates(bug: str, said: str) -> None:
    [finding] = checked(consumer_app(bug), rules=("deduplicates-on-all-fields",)).rules
    assert (finding.outcome, finding.actual) == ("warn", said)


def test_a_family_that_is_named_again_is_marked() -> None:
    result = checked(
        consumer_app("dedup-key-mail-id"), rules=("stores-repeat-engagement", "deduplicates-on-all-fields")
    )
    violation, hazard = result.rules
    between = msgspec.structs.replace(violation, family="batch")
    shown = check_lines(msgspec.structs.replace(result, rules=[violation, between, hazard]))
    headings = ["".join(text for text, _ in line) for line in shown if not line[0][0].startswith(" ")]
    assert headings == ["identity", "batch", "identity (continued)"]


class LosesWithin(Consumer):
    """Stores one event of a mail and a time of each batch, and compares all fields with what it has stored before."""

    def by_identity(self, events: list[Event]) -> dict[Identity, Event]:
        firsts = {(event.get("mailId"), event.get("created")): event for event in reversed(events)}
        return super().by_identity(list(firsts.values()))


class LosesAcross(Consumer):
    """Deduplicates on mailId and created, but stores the events of one batch side by side."""

    def key(self, event: Event) -> bytes:
        return super().key({"mailId": event.get("mailId"), "created": event.get("created")})


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (LosesWithin, "in one batch; the pair in two batches is stored"),
        (LosesAcross, "in two batches; the pair in one batch is stored"),
    ],
)
def test_it_is_said_which_of_two_pairs_is_lost(
    made: type[Consumer], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cast(dict[str, Bug], BUGS), "loses", Bug("", made))
    [finding] = checked(consumer_app("loses"), rules=("stores-one-mail-same-millisecond",)).rules
    assert finding.actual.endswith(f"; it belongs to the pair that arrived {said}"), finding.actual


@pytest.mark.parametrize("bytes_max", [65_536, 100_000])
def test_a_batch_that_is_too_large_is_reduced_to_the_limit(bytes_max: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast(dict[str, Bug], BUGS), "limits", Bug("", limited(bytes_max)))
    [finding] = checked(consumer_app("limits"), rules=("accepts-largest-batch",)).rules
    found = re.search(
        r"; the smallest batch it rejects has (\d+) events and ([\d,]+) bytes; the 413 says: ", finding.actual
    )
    assert found, finding.actual
    count, size = int(found[1]), int(found[2].replace(",", ""))
    # One more character in a text makes as many more bytes as there are events with that text.
    assert bytes_max < size <= bytes_max + 4 * count
    assert finding.reproduce is not None
    assert finding.reproduce.case is not None
    assert len(finding.reproduce.case) == count


@pytest.mark.parametrize(
    ("lost", "kept", "window"),
    [
        ([0], [], (0, None)),
        ([0, 37], [42, 50], (37, 42)),
        ([37, 3], [12, 38, 500], (37, 38)),
        ([37], [0, 36, 37], (37, None)),
    ],
)
def test_the_losing_window_ends_before_the_least_age_beyond_it(
    lost: list[int], kept: list[int], window: tuple[int, int | None]
) -> None:
    assert losing_window(lost, kept) == window


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["durable-over-crash", "deduplicates-over-crash"])
def test_a_restart_command_that_kills_nothing_skips_the_rule(rule: str) -> None:
    with serve_consumer(None, basic_authentication=CREDENTIALS) as url:
        result = checked_by_url(url, rules=(rule,), restart_command="true")
    found = next(finding for finding in result.rules if finding.id == rule)
    assert (found.outcome, found.reason) == ("not-exercised", "The consumer kept responding while it was restarted")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bug", "violated"),
    [
        (None, set()),
        ("stores-in-memory-only", {"durable-over-crash"}),
        ("commits-every-ten-batches", {"durable-over-crash"}),
        ("writes-behind", {"durable-over-crash"}),
        ("keeps-dedup-keys-in-memory", {"deduplicates-over-crash"}),
    ],
)
def test_what_a_crash_destroys(bug: str | None, violated: set[str], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with restartable(bug or "sample") as (base, restart):
        arguments = ("--basic-auth", f"{USER}:{PASSWORD}", "--probe", f"{base}/processed", "--restart-cmd", restart)
        more = ("--rules", "durability,responds-200", "--report-json", str(report), "--budget", "3m")
        command("check", f"{base}/hook", *arguments, *more)
    found = {rule["id"]: rule["outcome"] for rule in json.loads(report.read_bytes())["rules"]}
    assert {rule for rule, outcome in found.items() if outcome == "fail"} == violated, found
    assert "could-not-tell" not in found.values()
    if bug == "writes-behind":
        rule = {rule["id"]: rule for rule in json.loads(report.read_bytes())["rules"]}["durable-over-crash"]
        said = rule["actual"]
        window = re.fullmatch(
            r"Loses events acknowledged up to (\d+) ms before it is killed: \d+ of \d+ in 3 crashes "
            r"\(those acknowledged at least (\d+) ms before it were stored\)",
            said,
        )
        assert window, said
        losing, keeping = map(int, window.groups())
        [fact] = rule["facts"]
        assert (fact["fact"], fact["window"], fact["stored_from"]) == ("lost-in-crash", losing, keeping)
        assert rule["identity"] == "lost-shortly-before-crash"
        # It writes after 200 ms; how exactly that is observed depends on the machine.
        assert 50 < losing < keeping < 550, said
