"""The provisioning drill: each broken set-up is named by its rule and by no other, and correct ones pass."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from mockcampaign.drill.cases import FAULTS
from mockcampaign.drill.command import SetUpCommand
from mockcampaign.drill.provisioning import Drill, drill_plan, drilled_scenario, settings_of
from mockcampaign.drill.server import DrillServer
from mockcampaign.drill.set_up_rules import RULES
from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.judging.verdict import RunResult
from mockcampaign.samples.consumer import serve_consumer
from mockcampaign.scenario.language.reference import reference
from mockcampaign.scenario.language.step_examples import STEP_EXAMPLES, whole
from places import TESTS
from set_ups import FailedError, set_up

CORRECT = ("compares", "retries")
BROKEN = {
    "creates_blindly": "registers-once",
    "repeats_lost_creation": "leaves-no-orphans",
    "sees_activated_only": "leaves-no-orphans",
    "deletes_activated": "deactivates-before-deleting",
    "trusts_kept_ids": "forgets-dead-ids",
    "stops_half_way": "converges",
    "swallows_failures": "reports-failure",
    "activates_again": "converges",
}
BASIC = ("creates_blindly", "deletes_activated", "trusts_kept_ids", "activates_again")
"""Those that go wrong although no call fails."""


class Called(SetUpCommand):
    """A set-up that runs in this process, which takes a tenth of the time."""

    def __init__(self, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__([name], {}, seconds_max=60)
        self.kept = folder / "kept.json"
        self._monkeypatch = monkeypatch

    def run(self, values: Mapping[str, str]) -> int | None:
        for name, value in values.items():
            self._monkeypatch.setenv(f"MOCKCAMPAIGN_{name.upper()}", value)
        self._monkeypatch.setenv("SET_UP_FILE", str(self.kept))
        try:
            set_up(self.words[0])
        except FailedError:
            return 1
        return 0


class Cleaning(SetUpCommand):
    """Removes what a set-up keeps."""

    def __init__(self, kept: Path) -> None:
        super().__init__(["clean"], {}, seconds_max=60)
        self._kept = kept

    def run(self, values: Mapping[str, str]) -> int | None:
        self._kept.unlink(missing_ok=True)
        return 0


def drilled(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, seen: list[int] | None = None) -> RunResult:
    command = Called(name, folder, monkeypatch)
    noted = [] if seen is None else seen
    with DrillServer().running(0) as server:
        return Drill(
            server, command, Cleaning(command.kept), on_case=lambda number, cases: noted.append(number)
        ).result()


def outcomes(result: RunResult) -> dict[str, str]:
    return {finding.id: finding.outcome for finding in result.rules}


@pytest.mark.parametrize("name", BASIC)
def test_a_set_up_that_is_wrong_without_a_fault_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = drilled(name, tmp_path, monkeypatch)
    assert not result.compliant
    assert {rule for rule, outcome in outcomes(result).items() if outcome == "fail"} == {BROKEN[name]}
    assert {outcome for rule, outcome in outcomes(result).items() if rule != BROKEN[name]} == {"not-exercised"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BROKEN if name not in BASIC])
def test_a_set_up_that_is_wrong_when_a_call_fails_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = drilled(name, tmp_path, monkeypatch)
    assert {rule for rule, outcome in outcomes(result).items() if outcome == "fail"} == {BROKEN[name]}
    assert {outcome for rule, outcome in outcomes(result).items() if rule != BROKEN[name]} == {"pass"}


@pytest.mark.slow
@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_set_up_passes_in_every_case(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    result = drilled(name, tmp_path, monkeypatch, seen)
    assert result.compliant
    assert outcomes(result) == {rule.id: "pass" for rule in RULES}
    assert seen == list(range(1, 3 + 6 * len(FAULTS)))  # six calls: list, create and activate two webhooks


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_a_violation_is_reproduced_by_its_scenario(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [finding] = [one for one in drilled(name, tmp_path, monkeypatch).rules if one.outcome == "fail"]
    assert finding.reproduce is not None
    assert finding.reproduce.scenario is not None
    path = tmp_path / "x.scenario.yaml"
    path.write_text(finding.reproduce.scenario)
    plan = drill_plan(path)
    for command, compliant in ((name, False), ("compares", True)):
        with DrillServer(settings=settings_of(plan)).running(0) as server:
            called = Called(command, tmp_path, monkeypatch)
            result = drilled_scenario(server, plan, called, Cleaning(called.kept))
        assert result.compliant is compliant, command


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("[{set_up: 1}]", "expects nothing, allowed: a last step `expect`"),
        ("[{expect: {api: {count: 0}}}]", "runs no set-up, allowed: a step `set_up`"),
        ("[{set_up: until-success}, {advance: 1s}]", "4:44: time stands still in a drill, allowed: "),
        ("[{set_up: until-success}, {run: until-idle}]", "4:40: time stands still in a drill, allowed: "),
        ("[{set_up: until-success}, {wait: {until: {api: {}}, for: 1s}}]", "4:41: time stands still in a drill"),
        ("[{set_up: 11}]", "4:18: 11 is out of range, allowed: 1 to 10"),
    ],
)
def test_a_scenario_that_no_drill_can_play_is_rejected(tmp_path: Path, steps: str, message: str) -> None:
    path = tmp_path / "x.scenario.yaml"
    path.write_text(f"name: x\nconsumer: {{url: http://x.test}}\nwebhooks: {{}}\nsteps: {steps}\n")
    with pytest.raises(InvalidInputError, match=message):
        drill_plan(path)


def test_the_example_of_the_reference_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert STEP_EXAMPLES["set_up"] in reference()
    path = tmp_path / "x.scenario.yaml"
    path.write_text(whole("set_up"))
    with serve_consumer() as url:
        monkeypatch.setenv("CONSUMER_URL", url)
        plan = drill_plan(path)
        with DrillServer(settings=settings_of(plan)).running(0) as server:
            result = drilled_scenario(server, plan, Called("compares", tmp_path, monkeypatch), None)
        assert result.compliant
        assert [one.id for one in result.scenarios[0].expectations] == ["set_up.status", "api.activateWebhook"]


def test_a_set_up_that_never_succeeds_fails_its_step(tmp_path: Path) -> None:
    path = tmp_path / "x.scenario.yaml"
    path.write_text(
        "name: x\nconsumer: {url: http://x.test}\nwebhooks: {}\nsteps: [{set_up: 1}, {set_up: until-success}]\n"
    )
    plan = drill_plan(path)
    with DrillServer(settings=settings_of(plan)).running(0) as server:
        result = drilled_scenario(server, plan, command(tmp_path, sys.executable, "-c", "raise SystemExit(4)"), None)
    [finding] = result.scenarios[0].expectations
    assert (finding.outcome, finding.actual) == ("fail", "4, 4, 4")
    assert str(finding.place).endswith("x.scenario.yaml:4:31")


def command(folder: Path, *words: str, **more: float) -> SetUpCommand:
    return SetUpCommand(words, {}, seconds_max=more.get("seconds_max", 60))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise SystemExit('no database')", "exit status 1 although nothing failed: no database"),
        ("pass", r"activated no webhook \(no call of http://"),
    ],
)
def test_a_set_up_that_fails_by_itself_is_inconclusive(tmp_path: Path, code: str, message: str) -> None:
    with (
        DrillServer().running(0) as server,
        pytest.raises(CouldNotTellError, match=message),
    ):
        Drill(server, command(tmp_path, sys.executable, "-c", code), None, on_case=lambda *_: None).result()


def test_a_set_up_that_does_not_exist_is_inconclusive(tmp_path: Path) -> None:
    with (
        DrillServer().running(0) as server,
        pytest.raises(CouldNotTellError, match=r"command \./nothing: "),
    ):
        Drill(server, command(tmp_path, "./nothing"), None, on_case=lambda *_: None).result()


def test_a_run_is_stopped_after_its_time() -> None:
    endless = SetUpCommand([sys.executable, "-c", "while True: pass"], {}, seconds_max=0.05)
    assert endless.run({}) is None


def test_variables_name_values_of_the_server() -> None:
    print_url = SetUpCommand(
        [sys.executable, "-c", "import os; print(os.environ['API'])"], {"API": "{url}/x"}, seconds_max=60
    )
    assert print_url.run({"url": "http://h"}) == 0
    assert print_url.output == "http://h/x"
    for text, message in (("{uri}", "--env API: unknown value 'uri', did you mean 'url'?"), ("{", "--env API: ")):
        with pytest.raises(InvalidInputError, match=message):
            SetUpCommand(["x"], {"API": text}, seconds_max=1).check({"url": "http://h"})


@pytest.mark.slow
@pytest.mark.parametrize(("name", "status"), [("creates_blindly", 1), ("activates_again", 1)])
def test_the_command_reports_and_writes_scenarios(tmp_path: Path, name: str, status: int) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mockcampaign", "drill", "provisioning", "--scenarios", "found"),
            *("--report-json", "r.json", "--junit", "r.xml", "--html", "r.html"),
            *("--", sys.executable, str(TESTS / "helpers" / "set_ups.py"), name),
        ],
        cwd=tmp_path,
        env={**os.environ, "SET_UP_FILE": "kept.json"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, "")
    assert f"FAIL {BROKEN[name]}  nothing failed: " in done.stdout.replace("Nothing", "nothing")
    assert [path.name for path in (tmp_path / "found").iterdir()] == [f"{BROKEN[name]}.scenario.yaml"]
    assert BROKEN[name] in (tmp_path / "r.xml").read_text()
    assert (tmp_path / "r.html").stat().st_size
