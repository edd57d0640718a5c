"""The deploy drill: real processes that are restarted, and credentials that are rotated, under traffic."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import deployed
from mockcampaign.check.bench.context import check_context
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.check.settings import Settings
from mockcampaign.drill.deploy import DeployDrill
from mockcampaign.drill.deploy_plan import ORDERS, CredentialRotation, DeployPlan, restarts, rotations
from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.fact import DeployBalance, DeployEvents, DeployTook, RotationRejected
from mockcampaign.judging.verdict import RunResult, exit_status, verdict_of
from mockcampaign.model import Authentication, BasicAuthentication, NoAuthentication
from mockcampaign.policy import HOUR, MINUTE, SECOND
from mockcampaign.transport.always_ok import AlwaysOkTransport
from mockcampaign.transport.wire import WireTransport, wait_until_reachable

NOW = 1_750_000_000_000
OLD, NEW = BasicAuthentication("acme", "s3cret-old"), BasicAuthentication("acme", "s3cret-new")
HELPER = Path(deployed.__file__)


def free_port() -> int:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        return int(probing.getsockname()[1])


@contextlib.contextmanager
def running(name: str, folder: Path, *, ports: int = 1) -> Iterator[list[int]]:
    """Run a consumer in as many processes, and give their ports."""
    chosen = [free_port() for _ in range(ports)]
    started = []
    try:
        for port in chosen:
            started.append(deployed.start(name, folder, port))
            assert asyncio.run(wait_until_reachable(f"http://127.0.0.1:{port}/hook", 20_000))
        yield chosen
    finally:
        for port in chosen:
            if not (folder / f"{port}.pid").exists():  # it may have begun just now
                asyncio.run(wait_until_reachable(f"http://127.0.0.1:{port}/hook", 5_000))
            deployed.stop(folder, port, signal.SIGKILL)
        for process in started:
            os.waitpid(process, 0)


def command(*words: str) -> str:
    return shlex.join([sys.executable, str(HELPER), *words])


def drilled(
    port: int, plan: DeployPlan, *, authentication: Authentication = NoAuthentication(), probed: bool = True
) -> RunResult:
    async def run() -> RunResult:
        transport = WireTransport()
        url = f"http://127.0.0.1:{port}"
        probe = UrlProbe(Probe(url=f"{url}/processed", events="@"), transport, timeout=5_000) if probed else None
        settings = Settings(now=NOW, seed=1, authentication=authentication, events=100_000, settle=500)
        try:
            context = check_context(f"{url}/hook", transport=transport, settings=settings, probe=probe)
            return await DeployDrill(context, plan).result()
        finally:
            await transport.aclose()

    return asyncio.run(run())


def plan(restart: str, *at: int, patience: int = 10 * SECOND) -> DeployPlan:
    return DeployPlan(deployments=restarts(restart, at or (2 * MINUTE,)), patience=patience)


def wrong(result: RunResult) -> dict[str, str]:
    return {finding.id: finding.outcome for finding in result.rules if finding.outcome in ("fail", "warn")}


def balance(result: RunResult) -> DeployBalance:
    [found] = [
        fact
        for finding in result.rules
        if finding.id == "accepts-everything-after-deploy"
        for fact in finding.facts
        if isinstance(fact, DeployBalance)
    ]
    assert found.created == found.accepted + found.discarded + found.pending
    assert result.deliveries.delivered == found.accepted
    return found


@pytest.mark.slow
def test_a_correct_consumer_is_compliant_over_two_restarts(tmp_path: Path) -> None:
    with running("Correct", tmp_path) as [port]:
        restart = command("restart", "Correct", str(tmp_path), str(port))
        result = drilled(port, plan(restart, 2 * MINUTE, 4 * MINUTE))
    assert (wrong(result), exit_status(result)) == ({}, 0)
    found = balance(result)
    assert (found.discarded, found.pending) == (0, 0)
    assert found.accepted >= 2 * 5 * 9 * 6  # nine minutes of two webhooks with five events every ten seconds
    took = [fact for finding in result.rules for fact in finding.facts if isinstance(fact, DeployTook)]
    assert [fact.at for fact in took] == [2 * MINUTE, took[1].at]
    assert all(fact.failed and fact.recovered for fact in took)
    assert (tmp_path / "starts").read_text() == "3"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("LosesQueue", "stores-acknowledged-over-deploy"),
        ("ForgetsKeys", "stores-once-over-deploy"),
        ("CutsTexts", "stores-unchanged-over-deploy"),
    ],
)
def test_what_a_restart_does_to_stored_events_is_named(tmp_path: Path, name: str, rule: str) -> None:
    with running(name, tmp_path) as [port]:
        result = drilled(port, plan(command("restart", name, str(tmp_path), str(port))))
    assert (wrong(result), exit_status(result)) == ({rule: "fail"}, 1)
    found = balance(result)
    assert found.accepted == found.created
    [finding] = [one for one in result.rules if one.id == rule]
    around = [fact for fact in finding.facts if isinstance(fact, DeployEvents)]
    if name == "LosesQueue":
        assert around[0].before > 0
        assert "missing from the store" in finding.actual
    if name == "ForgetsKeys":
        # The batch whose response was lost met the old process, and then the new one.
        assert around == [DeployEvents(what="duplicate", kind="restart", at=2 * MINUTE, before=5, during=0)]
    assert finding.differences
    assert finding.fix


@pytest.mark.slow
def test_a_refusal_that_lasts_costs_the_events_after_three_days(tmp_path: Path) -> None:
    with running("StaysClosed", tmp_path) as [port]:
        restart = command("restart", "StaysClosed", str(tmp_path), str(port))
        result = drilled(port, plan(restart, patience=2 * SECOND))
    assert wrong(result) == {"accepts-everything-after-deploy": "fail"}
    found = balance(result)
    assert (found.pending, found.discarded > 0) == (0, True)
    [finding] = [one for one in result.rules if one.id == "accepts-everything-after-deploy"]
    assert finding.actual.startswith("Responded 503 to a batch after the restart at 2m")


@pytest.mark.slow
def test_a_consumer_that_does_not_come_back_is_inconclusive(tmp_path: Path) -> None:
    with running("Correct", tmp_path) as [port]:
        killing = f"kill -9 {(tmp_path / f'{port}.pid').read_text()}"
        result = drilled(port, plan(killing, patience=SECOND))
    assert (verdict_of(result), exit_status(result), wrong(result)) == ("could-not-tell", 3, {})
    assert "after the restart command had ended (--patience)" in str(result.scenarios[0].trouble)
    assert balance(result).pending > 0
    # A second of wall time counts as a minute while the consumer is awaited, and not as three days.
    assert result.scenarios[0].virtual_milliseconds < 10 * MINUTE


def test_a_consumer_that_is_wrong_before_anything_is_deployed_is_inconclusive(tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("another")
    with (
        running("Correct", tmp_path) as [port],
        pytest.raises(CouldNotTellError, match="before anything was deployed: 401 to an ordinary batch, expected 200"),
    ):
        drilled(port, plan("true"), authentication=OLD)


@pytest.mark.slow
def test_a_command_that_fails_is_inconclusive(tmp_path: Path) -> None:
    with running("Correct", tmp_path) as [port]:
        result = drilled(port, plan("false", 2 * MINUTE, 4 * MINUTE))
    assert (verdict_of(result), wrong(result)) == ("could-not-tell", {})
    assert result.scenarios[0].trouble == "restart command false: ended with status 1"
    assert balance(result).accepted >= 2 * 5 * 12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Correct", {}),
        ("ReplacesPassword", {"accepts-old-and-new-credentials": "warn"}),
        ("KeepsPassword", {"accepts-everything-after-deploy": "fail", "accepts-old-and-new-credentials": "warn"}),
    ],
)
def test_credentials_are_rotated_in_both_orders(tmp_path: Path, name: str, found: dict[str, str]) -> None:
    (tmp_path / "passwords").write_text(OLD.password)
    with running(name, tmp_path) as [port]:
        deployments = rotations(command("rotate", str(tmp_path)), (2 * MINUTE,), ORDERS, OLD, NEW)
        plan = DeployPlan(deployments=deployments, patience=2 * SECOND, gap=MINUTE, pace=240)
        result = drilled(port, plan, authentication=OLD)
    assert wrong(result) == found
    assert balance(result).discarded == 0 or name == "KeepsPassword"
    rejected = [fact for one in result.rules for fact in one.facts if isinstance(fact, RotationRejected)]
    assert [fact.after_both for fact in rejected] == {
        "Correct": [],
        "ReplacesPassword": [False],
        "KeepsPassword": [True],
    }[name]
    for secret in (*OLD.secrets(), *NEW.secrets()):
        assert secret not in repr(result)


@pytest.mark.slow
def test_a_rolling_restart_behind_a_proxy_needs_no_downtime(tmp_path: Path) -> None:
    with running("Correct", tmp_path, ports=2) as ports, proxy(ports) as port:
        restart = command("restart", "Correct", str(tmp_path), *map(str, ports))
        result = drilled(port, plan(restart))
    assert wrong(result) == {}
    assert balance(result).pending == 0
    assert (tmp_path / "starts").read_text() == "4"


@contextlib.contextmanager
def proxy(ports: list[int]) -> Iterator[int]:
    """Pass each connection on to the first instance that accepts one."""
    import threading

    listening = socket.create_server(("127.0.0.1", 0))
    turns = iter(range(10**9))

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                first = next(turns)
                for offset in range(len(ports)):
                    with contextlib.suppress(OSError):
                        server = socket.create_connection(("127.0.0.1", ports[(first + offset) % len(ports)]))
                        for pair in ((client, server), (server, client)):
                            pumps.append(threading.Thread(target=pump, args=pair))
                            pumps[-1].start()
                        sockets.extend((client, server))
                        break
                else:
                    client.close()

    pumps: list[threading.Thread] = []
    sockets: list[socket.socket] = []
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for pump_thread in pumps:
            pump_thread.join()
        for one in sockets:
            one.close()


def test_rotations_go_there_and_back_in_order_of_time() -> None:
    found = rotations("x", (5 * MINUTE, 10 * MINUTE), ORDERS, OLD, NEW)
    assert [(one.at // MINUTE, one.order, one.to, one.authentication) for one in found] == [
        (5, "consumer-first", "new", NEW),
        (10, "consumer-first", "old", OLD),
        (15, "campaign-first", "new", NEW),
        (20, "campaign-first", "old", OLD),
    ]
    assert found[0].variables() == {"MOCKCAMPAIGN_ROTATE_TO": "new", "MOCKCAMPAIGN_CREDENTIALS": "acme:s3cret-new"}
    assert "s3cret" not in repr(found[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DeployPlan(deployments=()), "nothing to deploy, allowed: --restart-cmd or --rotate-cmd"),
        (lambda: plan("'x"), 'command "\'x": No closing quotation'),
        (lambda: plan("x", 13 * HOUR), "13h5m of traffic, allowed: up to 12h"),
        (lambda: plan("x", patience=HOUR), "a deployment could last 5d2m of virtual time, allowed: up to 1d"),
        (lambda: DeployPlan(deployments=restarts("x", (0,)), every=999), "--every 999ms: too short, allowed: from 1s"),
    ],
)
def test_a_plan_that_makes_no_sense_is_rejected(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(InvalidInputError) as rejected:
        make()
    assert message in str(rejected.value)


def deploying(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "mockcampaign", "drill", "deploy", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_the_command_reports_the_balance_and_writes_reports(tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text(OLD.password)
    with running("ReplacesPassword", tmp_path) as [port]:
        url = f"http://127.0.0.1:{port}"
        done = deploying(
            tmp_path,
            *(f"{url}/hook", "--probe", f"{url}/processed", "--at", "1m", "--for", "2m", "--gap", "30s", "--strict"),
            *("--rotate-cmd", command("rotate", "."), "--rotate-order", "consumer-first", "--seed", "3"),
            *("--report-json", "r.json", "--junit", "r.xml", "--html", "r.html", "--journal", "j.jsonl"),
            DRILL_BASIC_AUTH="acme:s3cret-old",
            DRILL_NEW_BASIC_AUTH="acme:s3cret-new",
        )
    assert (done.returncode, done.stderr) == (1, "")
    assert "warn accepts-old-and-new-credentials  Responded 401 to " in done.stdout
    assert "events created = " in done.stdout
    assert done.stdout.splitlines()[-1] == "NOT COMPLIANT  deploy drill: 1 rule of 8 violated"
    for name in ("r.json", "r.xml", "r.html", "j.jsonl"):
        text = (tmp_path / name).read_text()
        assert text
        assert "s3cret" not in text
    assert "s3cret" not in done.stdout


CAPTURED = {"kind": "sent", "mailRef": "AAAA-1111", "mailing": 481516, "who": {"id": "4711"}, "at": 1_735_689_600_000}


@pytest.mark.slow
def test_events_may_have_a_shape_of_their_own_and_be_stored_in_parts(tmp_path: Path) -> None:
    captured = [CAPTURED, {**CAPTURED, "mailRef": "BBBB-2222", "who": {"id": "4712"}, "at": 1_735_689_700_000}]
    (tmp_path / "captured.json").write_text(json.dumps(captured))
    with running("KeepsParts", tmp_path) as [port]:
        url = f"http://127.0.0.1:{port}"
        done = deploying(
            tmp_path,
            *(f"{url}/hook", "--probe", f"{url}/processed", "--at", "30s", "--for", "1m", "--like", "captured.json"),
            *("--restart-cmd", command("restart", "KeepsParts", ".", str(port)), "--probe-fields", "mailRef,at"),
            *("--report-json", "r.json"),
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        stored = json.loads(urllib.request.urlopen(f"{url}/processed", timeout=20).read())
    assert {tuple(event) for event in stored} == {("mailRef", "at")}
    rules = {rule["id"]: rule["outcome"] for rule in json.loads((tmp_path / "r.json").read_text())["rules"]}
    assert rules["stores-acknowledged-over-deploy"] == "pass"


def test_an_interrupted_drill_reports_what_it_found() -> None:
    async def run() -> tuple[RunResult | None, RunResult | None]:
        began = asyncio.Event()
        context = check_context(
            "http://consumer/", transport=AlwaysOkTransport(), settings=Settings(now=NOW, seed=1, events=100_000)
        )
        drill = DeployDrill(
            context, plan(shlex.join([sys.executable, "-c", "input()"])), on_deployment=lambda number, of: began.set()
        )
        before = drill.so_far()
        task = asyncio.create_task(drill.result())
        await began.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return before, drill.so_far()

    before, result = asyncio.run(run())
    assert before is None
    assert result is not None
    assert (verdict_of(result), balance(result).created) == ("could-not-tell", 20)
    assert result.scenarios[0].trouble == "interrupted, so not every event is accounted for"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_the_drill_with_a_report(tmp_path: Path) -> None:
    waiting = "import pathlib, time; pathlib.Path('waiting').touch(); time.sleep(100)"
    with running("Correct", tmp_path) as [port]:
        process = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "mockcampaign",
                    "drill",
                    "deploy",
                    f"http://127.0.0.1:{port}/hook",
                    "--at",
                    "30s",
                ),
                *("--restart-cmd", shlex.join([sys.executable, "-c", waiting]), "--journal", "j.jsonl"),
            ],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not (tmp_path / "waiting").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "mockcampaign: interrupted\n")
    assert "events created = " in output
    assert output.splitlines()[-1] == "inconclusive  deploy drill: no rule violated"
    assert (tmp_path / "j.jsonl").read_text().count("\n") > 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to deploy, allowed: --restart-cmd or --rotate-cmd"),
        (("--restart-cmd", "x", "--rotate-cmd", "y"), "allowed: one of --restart-cmd and --rotate-cmd, found both"),
        (("--restart-cmd", "nope-cmd x"), "--restart-cmd: no program 'nope-cmd', allowed: one in PATH"),
        (("--rotate-cmd", "y"), "allowed: --rotate-cmd with new credentials ("),
        (("--rotate-cmd", "y", "--new-basic-auth", "a:b"), "--rotate-cmd: no credentials to change, allowed: with"),
        (("--restart-cmd", "x", "--new-basic-auth", "ab"), "--new-basic-auth: no colon in it, allowed: USER:PASSWORD"),
        (("--restart-cmd", "true", "--probe-events", "@"), "--probe-events has no effect alone"),
        (("--restart-cmd", "x", "--at", "soon"), "--at: "),
        (
            ("--restart-cmd", "true", "--probe-fields", "mailId"),
            "--probe-fields has no effect alone, allowed: --probe-fie",
        ),
        (
            ("--restart-cmd", "true", "--probe", "http://127.0.0.1:9/", "--probe-fields", "mailRef"),
            "--probe-fields: 'mailRef' is unknown, allowed: type, ",
        ),
        (("--restart-cmd", "true", "--keep", "who"), "--keep has no effect alone, allowed: --keep with --like"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = deploying(tmp_path, "http://127.0.0.1:9/hook", *arguments)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert message in done.stderr


def test_a_rotation_is_not_shown_with_its_credentials() -> None:
    rotation = CredentialRotation(at=0, command="x", order="consumer-first", to="new", authentication=NEW)
    assert "s3cret" not in repr(rotation)
