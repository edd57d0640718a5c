"""The command line as users see it: exit statuses, one line for each error, no traceback."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest
import requests

from commands import SCENARIO, mockcampaign, written
from mockcampaign.cli import COMMANDS, cli, main
from mockcampaign.judging.verdict import RunResult
from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread
from mockcampaign.shipped import scenarios_folder


@pytest.fixture
def consumer_url() -> Iterator[str]:
    with serve_in_thread(consumer_app(basic_authentication=BasicAuthentication("acme", "geheim!"))) as url:
        yield url


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_a_compliant_consumer_is_status_0(tmp_path: Path, consumer_url: str) -> None:
    written(tmp_path)
    arguments = ("run", ".", "--report-json", "r.json", "--full-journal")
    done = mockcampaign(*arguments, folder=tmp_path, CONSUMER_URL=consumer_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "compliant  three opens",
        "  three.scenario.yaml",
        f"  {consumer_url}/hook, seed 5, 0s of virtual time from 2025-01-01T00:00:00.000Z",
        "    +0s  opens  create → created",
        "    +0s  opens  activate → activated",
        "    +0s         3 open events",
        "    +0s  opens  batch of 3  200",
        "    +0s         probe: 3 events stored",
        "  ok   opens.delivered: 3",
        "  ok   consumer.processed: exactly-once",
        "  1 attempt: 3 events delivered, 0 discarded, 0 pending",
        "1 of 1 scenario passed",
    ]
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["compliant"], report["seed"], report["target"]) == (True, 5, f"{consumer_url}/hook")
    assert report["deliveries"] == {"attempts": 1, "delivered": 3, "discarded": 0, "pending": 0, "simulated": 0}
    assert [entry["entry"] for entry in report["scenarios"][0]["journal"]][:3] == [
        "began",
        "webhook-changed",
        "step-reached",
    ]


def test_a_broken_consumer_is_status_1_and_shows_why(tmp_path: Path) -> None:
    written(tmp_path)
    with serve_in_thread(consumer_app("stores-first-event-only")) as url:
        done = mockcampaign("run", ".", "-q", folder=tmp_path, CONSUMER_URL=url)
    assert done.returncode == 1
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "FAIL consumer.processed: exactly-once" in lines
    assert "at three.scenario.yaml:14:29" in lines
    missing = "actual    2 of 3 delivered events are missing from the store, first type=open mailId="
    assert any(line.startswith(missing) for line in lines)


def test_a_broken_scenario_is_status_2_and_nothing_was_sent(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "z.scenario.yaml").write_text(SCENARIO.replace("count: 3", "cuont: 3"))
    done = mockcampaign("run", ".", folder=tmp_path, CONSUMER_URL="http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "mockcampaign: z.scenario.yaml:10:24: unknown key 'cuont', did you mean 'count'? "
        "(allowed: type, count, over, like, events, new_mail_ids, client)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["run", "nowhere"],
            "mockcampaign: nowhere: does not exist, allowed: a scenario file, or a folder of *.scenario",
        ),
        (["run", "empty"], "mockcampaign: empty: no *.scenario.yaml file in this folder"),
        (
            ["run"],
            "mockcampaign run: missing argument 'PATHS...', allowed: mockcampaign run [OPTIONS] PATHS...; "
            "see mockcampaign run --help\n",
        ),
        (["rum"], "mockcampaign: unknown command 'rum', did you mean 'run'? (allowed: demo, check, soak, rules, run, "),
        (
            ["--verson"],
            "mockcampaign: unknown option '--verson', did you mean '--version'? (allowed: --version, -h, --h",
        ),
        (
            ["serve", "--prot", "1"],
            "mockcampaign serve: unknown option '--prot', did you mean '--port'? (allowed: --host, --port, ",
        ),
        (
            ["run", ".", "--jobs", "0"],
            "mockcampaign run: --jobs: 0, allowed: a number from 1 to 64; see mockcampaign run --help\n",
        ),
        (
            ["serve", "--port", "http"],
            "mockcampaign serve: --port: 'http', allowed: a number from 0 to 65535; see mockcampaign serve --help\n",
        ),
        (
            ["schema", "repot"],
            "mockcampaign schema: {report|events|scenario|reference}: 'repot', allowed: report, events, scenario, ref",
        ),
        (
            ["replay", "nowhere"],
            "mockcampaign replay: FILE: 'nowhere' does not exist, allowed: a file that exists; see mockcampaign r",
        ),
        (
            ["check", "http://a", "--scenarios", "three.scenario.yaml"],
            "mockcampaign check: --scenarios: 'three.scenario.yaml' is a file, allowed: a folder; see mockca",
        ),
        (
            ["check", "http://a", "--basic-auth", "acme:two", "words"],
            "mockcampaign check: got unexpected extra argument, allowed: mockcampaign check [OPTIONS] URL; see mockcam",
        ),
        (
            ["check", "http://a", "--seed"],
            "mockcampaign check: option '--seed' requires an argument; see mockcampaign check --help\n",
        ),
        (
            ["run", ".", "--wait-for-consumer", "30"],
            "'30' is not a duration, allowed: 500ms, 90s, 10m, 2h, 3d or 1d12h",
        ),
        (["run", ".", "--seed", "-1"], "--seed: -1, allowed: a number from 0 to 9223372036854775807"),
        (
            ["consumer", "--bug", "stores-first-evnt-only"],
            "unknown bug 'stores-first-evnt-only', did you mean 'stores-first-event-only'",
        ),
        (["check", "http://a", "--probe", "nope"], "mockcampaign: --probe: URL 'nope' is not a web address, allowed:"),
        (["check", "http://a", "--probe", "http://a", "--probe-events", "[["], "--probe-events: '[[' is not JMESPath:"),
        (["check", "http://a", "--probe-state", "nope"], "--probe-state: URL 'nope' is not a web address"),
        (["check", "http://a", "--probe", "http://a", "--probe-counter", "nope"], "--probe-counter: URL 'nope' is not"),
        (["serve", "--probe", "nope"], "mockcampaign: --probe: URL 'nope' is not a web address, allowed:"),
        (["serve", "--probe", "http://a", "--probe-count", "[["], "mockcampaign: --probe-count: '[[' is not JMESPath:"),
        (["check", "http://a", "--budget", "0s"], "--budget: '0s' is too short, allowed: 1ms or longer"),
        (["check", "http://a", "--timeout", "0s"], "--timeout: '0s' is too short, allowed: 1ms or longer"),
        (["check", "http://a", "--histories", "5", "--history", "3"], "one of --histories and --history, found both"),
        (["soak", "http://a", "--for", "0s"], "--for: '0s' is too short, allowed: 1ms or longer"),
        (["soak", "http://a", "--every", "999ms"], "--every: '999ms' is too short, allowed: 1s or longer"),
        (
            ["rules", "responds-20"],
            "unknown rule 'responds-20', did you mean 'responds-200' or ",
        ),
        (["rules", "--code", "php"], "--code has no effect alone, allowed: with the id of a rule"),
        (["rules", "responds-200", "--code", "rust"], "'rust'"),
        (["check", "http://localhost:9/", "--rules", "cost"], "'cost', did you mean 'cost of failure'? (allowed: "),
        (["rules", "zzz"], "unknown rule 'zzz' (allowed: those that 'mockcampaign rules' lists)\n"),
        (["consumer", "--basic-auth", "acme"], "--basic-auth: no colon in it, allowed: USER:PASSWORD"),
    ],
)
def test_wrong_usage_is_status_2_and_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    (tmp_path / "three.scenario.yaml").touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["mockcampaign", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert "words" not in printed.err  # what a space has cut off a password


def test_no_command_is_status_2_and_the_help(tmp_path: Path) -> None:
    done = mockcampaign(folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Start with: mockcampaign demo" in " ".join(done.stderr.split())


def test_an_unreachable_consumer_is_status_3_with_a_report(tmp_path: Path) -> None:
    written(tmp_path, ('  probe: {url: "${CONSUMER_URL}/processed", events: "@"}\n', ""), ("      consumer: {", "#"))
    done = mockcampaign(
        "run", ".", "--report-json", "r.json", folder=tmp_path, CONSUMER_URL=f"http://127.0.0.1:{free_port()}"
    )
    assert done.returncode == 3
    assert "connection refused at the first attempt" in done.stdout
    assert "3 open events" in done.stdout
    assert json.loads((tmp_path / "r.json").read_text())["scenarios"][0]["verdict"] == "could-not-tell"


@pytest.mark.parametrize("host", ["consumer.invalid", "127.0.0.1"])
def test_waiting_for_a_consumer_ends(tmp_path: Path, host: str) -> None:
    written(tmp_path)
    url = f"http://{host}:{free_port()}"
    done = mockcampaign("run", ".", "--wait-for-consumer", "200ms", folder=tmp_path, CONSUMER_URL=url)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"mockcampaign: consumer {url}/hook: not reachable within 200ms\n"


def test_a_name_that_does_not_resolve_is_status_3(tmp_path: Path) -> None:
    written(tmp_path)
    done = mockcampaign("run", ".", folder=tmp_path, CONSUMER_URL="http://consumer.invalid")
    assert done.returncode == 3
    assert "probe http://consumer.invalid/processed: the host name does not resolve" in done.stdout


def test_a_probe_of_html_is_status_3(tmp_path: Path, consumer_url: str) -> None:
    from starlette.applications import Starlette
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    async def page(request: object) -> HTMLResponse:
        return HTMLResponse("<html>\x1b[31mlog in</html>")

    written(tmp_path)
    with serve_in_thread(Starlette(routes=[Route("/processed", page)])) as url:
        done = mockcampaign("run", ".", folder=tmp_path, CONSUMER_URL=url)
    assert done.returncode == 3
    assert "expected JSON, got text/html; charset=utf-8 that begins with '<html>" in done.stdout
    assert "\x1b" not in done.stderr + done.stdout


def test_one_seed_gives_one_report_except_for_measurements(tmp_path: Path) -> None:
    written(tmp_path)
    port = free_port()
    reports = []
    for _ in range(2):
        with serve_in_thread(consumer_app(), port=port) as url:
            arguments = ("run", ".", "--seed", "9", "--report-json", "r.json", "--full-journal")
            mockcampaign(*arguments, folder=tmp_path, CONSUMER_URL=url)
        reports.append((tmp_path / "r.json").read_bytes())
    # As values, in which what was measured makes no difference; as text, it is all that does.
    first, second = [msgspec.json.decode(report, type=RunResult) for report in reports]
    assert first == second
    bare = [re.sub(rb'"measured": {[^}]*}', b"", report) for report in reports]
    assert bare[0] == bare[1] != reports[0]


def test_no_secret_is_in_any_output(tmp_path: Path, consumer_url: str) -> None:
    # Refusals until the events are discarded, but not for three days.
    written(tmp_path, ("consumer:\n", "policy: {event_age_max: 1h}\nconsumer:\n"))
    for password in ("geheim!", "wrong-geheim!"):
        done = mockcampaign(
            *("run", ".", "-v", "--report-json", "r.json"),
            folder=tmp_path,
            CONSUMER_URL=consumer_url,
            HOOK_PASSWORD=password,
        )
        everything = done.stdout + done.stderr + (tmp_path / "r.json").read_text()
        assert "geheim" not in everything
        assert BasicAuthentication("acme", password).secrets()[1] not in everything


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("option", ["--report-json", "--journal"])
def test_a_full_disk_is_mentioned_once_and_changes_no_verdict(tmp_path: Path, consumer_url: str, option: str) -> None:
    written(tmp_path)
    outputs = (option, "/dev/full", "--junit", "r.xml")
    done = mockcampaign("run", ".", *outputs, folder=tmp_path, CONSUMER_URL=consumer_url)
    assert done.stderr == f"mockcampaign: {option} /dev/full: cannot be written: No space left on device\n"
    assert done.returncode == 0
    assert (tmp_path / "r.xml").exists()


def test_a_ca_file_without_a_certificate_is_status_2(tmp_path: Path) -> None:
    written(tmp_path)
    done = mockcampaign("run", ".", "--ca", "three.scenario.yaml", folder=tmp_path, CONSUMER_URL="http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "mockcampaign: CA file three.scenario.yaml cannot be read, allowed: a file of PEM certificates\n"
    )


def test_a_bug_of_our_own_is_status_3_with_a_report(tmp_path: Path) -> None:
    written(tmp_path, ('  probe: {url: "${CONSUMER_URL}/processed", events: "@"}\n', ""), ("      consumer: {", "#"))
    code = (
        "import sys; from mockcampaign.campaign import Campaign; Campaign.run = None; "
        "sys.argv = ['mockcampaign', 'run', '.', '--report-json', 'r.json']; "
        "from mockcampaign.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "CONSUMER_URL": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("this is a bug of mockcampaign, not a verdict on the consumer\n")
    assert "3 open events" in done.stdout
    assert json.loads((tmp_path / "r.json").read_text())["scenarios"][0]["verdict"] == "could-not-tell"


def test_waiting_for_a_consumer_lets_it_start(tmp_path: Path) -> None:
    written(tmp_path)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "mockcampaign", "run", ".", "--wait-for-consumer", "60s"],
        cwd=tmp_path,
        env={**os.environ, "CONSUMER_URL": f"http://127.0.0.1:{port}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with serve_in_thread(consumer_app(), port=port):
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.startswith("compliant  three opens")


def test_one_seed_serves_a_whole_folder(tmp_path: Path, consumer_url: str) -> None:
    for name in ("one", "two"):
        text = SCENARIO.replace("seed: 5\n", "").replace("three opens", name)
        (tmp_path / f"{name}.scenario.yaml").write_text(text)
    for arguments in ((), ("--seed", "7")):
        done = mockcampaign("run", ".", "-q", *arguments, folder=tmp_path, CONSUMER_URL=consumer_url)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_probe_that_hangs_is_status_3(tmp_path: Path) -> None:
    written(tmp_path, ("seed: 5", "policy: {timeout: 200ms}"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = mockcampaign("run", ".", folder=tmp_path, CONSUMER_URL=url)
    assert done.returncode == 3
    assert f"inconclusive: probe {url}/processed: no response within the time-out" in done.stdout


def test_a_sample_consumer_of_a_captured_shape_is_strict(tmp_path: Path) -> None:
    event = {"kind": "open", "ref": "f3a0-00174", "at": 1_772_441_950_662}
    (tmp_path / "captured.json").write_text(json.dumps([event]))
    (tmp_path / "mixed.json").write_text(json.dumps([event, {**event, "kind": "click"}]))
    mixed = mockcampaign("consumer", "--shape", "mixed.json", folder=tmp_path)
    said = "mockcampaign: --shape mixed.json: contains events of types open, click, allowed: one type\n"
    assert (mixed.returncode, mixed.stderr) == (2, said)
    command = [sys.executable, "-m", "mockcampaign", "consumer", "--shape", "captured.json", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            assert requests.post(url, json=[event], timeout=10).status_code == 200
            assert requests.post(url, json=[{"type": "open"}], timeout=10).status_code != 200
        finally:
            process.terminate()


def test_a_port_in_use_is_status_2(tmp_path: Path, consumer_url: str) -> None:
    port = consumer_url.rpartition(":")[2]
    done = mockcampaign("consumer", "--port", port, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"mockcampaign: cannot listen on 127.0.0.1 port {port}: ")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize(
    ("number", "shell"),
    [
        (signal.SIGINT, []),
        (signal.SIGTERM, []),
        # A script's job in the background, which its shell spares from Ctrl-C.
        (signal.SIGTERM, ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]),
    ],
    ids=["ctrl-c", "terminated", "terminated-in-the-background"],
)
def test_an_interrupted_run_is_status_130_with_a_report(
    tmp_path: Path, number: signal.Signals, shell: list[str]
) -> None:
    written(tmp_path, ('  probe: {url: "${CONSUMER_URL}/processed", events: "@"}\n', ""), ("      consumer: {", "#"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [*shell, sys.executable, "-m", "mockcampaign", "run", "."],
            cwd=tmp_path,
            env={**os.environ, "CONSUMER_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        accepted, _ = silent.accept()
        with accepted:
            accepted.recv(1)
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "mockcampaign: interrupted\n"
    assert "3 open events" in out
    assert "inconclusive: interrupted" in out


def test_the_sample_consumer_runs_until_it_is_stopped(tmp_path: Path) -> None:
    written(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "mockcampaign", "consumer", "--port", "0", "--basic-auth", "acme:geheim!"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1].removesuffix("/hook")
        done = mockcampaign("run", ".", folder=tmp_path, CONSUMER_URL=url)
    finally:
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert (done.returncode, process.returncode, err) == (0, 0, "")


@pytest.mark.slow
def test_demo_needs_no_setup_and_shows_the_difference(tmp_path: Path) -> None:
    done = mockcampaign("demo", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "A two-hour outage loses nothing                               compliant       compliant" in done.stdout
    assert "A batch is stored once when its response is lost              compliant       violated" in done.stdout
    # The one violated scenario is explained in its own words, and shown.
    assert "The consumer responds 200, but the response is lost. Campaign retries the batch" in done.stdout
    assert "200 duplicates are in the store, first type=open mailId=" in done.stdout
    assert "how to fix it: mockcampaign rules once-after-lost-response" in done.stdout
    assert list(tmp_path.iterdir()) == []
    # Scenarios add the path themselves.
    assert f"CONSUMER_URL=http://127.0.0.1:8000 mockcampaign run {scenarios_folder()}\n" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_by_a_full_phrase(name: str) -> None:
    context = click.Context(cli)
    command = cli.get_command(context, name)
    assert command is not None
    assert (command.help or "").partition("\n")[0].endswith(".")
    for option in command.params:
        if isinstance(option, click.Option):
            said = (option.help or "").partition("  [default")[0]
            assert re.fullmatch(r"[A-Z].* .*\.", said, re.DOTALL), f"{option.opts}: {option.help!r}"


def test_help_names_every_command_and_imports_nothing_heavy(tmp_path: Path) -> None:
    done = mockcampaign("--help", folder=tmp_path)
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("run", "demo", "consumer"))
    code = (
        "import sys, mockcampaign.cli; "
        "print([m for m in ('hypothesis', 'starlette', 'uvicorn', 'rich', 'yaml') if m in sys.modules])"
    )
    heavy = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert heavy.stdout == "[]\n"
