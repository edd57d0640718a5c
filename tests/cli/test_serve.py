"""`mockcampaign serve` as a user starts and ends it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import ssl
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from pytest_httpserver import HTTPServer

from called_main import called_main
from commands import mockcampaign
from mockcampaign.cli import cli
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.scenario.shape_file import shape_yaml
from mockcampaign.serving import check_tls_files, listen, serve_in_thread
from mockcampaign.serving.tls import certificate_files
from mockcampaign.shape.captured import shape_of_file
from serve_process import Serving, control, serving
from servers import CLIENT

USER = ("mockcampaign", "mockcampaign")
TOKEN = "token-of-this-test"


def failed(*arguments: str, folder: Path, **environment: str) -> tuple[int, str]:
    """Return status and message of a server that does not start."""
    done = mockcampaign("serve", "--port", "0", *arguments, folder=folder, **environment)
    assert done.stdout == ""
    return done.returncode, done.stderr.strip()


def activated(server: Serving, target: str, event_type: str = "open") -> None:
    base = f"{server.url}/rest/{CLIENT}/webhooks"
    form = {"targetUrl": target, "type": event_type, "format": "json"}
    number = requests.post(base, form, auth=USER, timeout=20).json()["id"]
    assert requests.post(f"{base}/{number}/activate", auth=USER, timeout=20).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_all_addresses_and_ends_cleanly_with_pending_events(tmp_path: Path, number: int) -> None:
    with serving("--virtual", folder=tmp_path) as server:
        assert server.said == [
            "mockcampaign 0.2.0, only the control API moves time; Ctrl-C stops it",
            f"  REST API    {server.url}/rest/{CLIENT}",
            "  user        mockcampaign, password mockcampaign",
            f"  Swagger UI  {server.url}/docs",
            f"  live page   {server.url}/",
            f"  control     {server.url}/__mockcampaign/state",
            server.said[6],
            "  state       in memory only, and lost at the end; --state FILE keeps it",
        ]
        for line in server.said[3:6]:
            assert requests.get(line.split()[-1], timeout=20).status_code == 200
        seed = requests.get(f"{server.url}/__mockcampaign/state", timeout=20).json()["seed"]
        assert server.said[6] == f"  seed        {seed}; --seed {seed} repeats the events"
        activated(server, "http://127.0.0.1:9/hook")
        control(server, "/emit", {"type": "open", "count": 12})
        stream = requests.get(f"{server.url}/__mockcampaign/stream", stream=True, timeout=20)
        assert next(stream.iter_content(1))
        said = server.end(number)
        *calls, end = said.splitlines()
        assert [line.rpartition(" ")[2] for line in calls] == ["createWebhook", "activateWebhook"]
        assert end == "stopped after 1 attempt: 0 events delivered, 0 discarded, 12 pending"
        assert server.process.returncode == 0
        stream.close()


def test_faults_are_in_force_from_the_start_and_after_a_reset(tmp_path: Path) -> None:
    faults = ("--fault", "api-error,operation=createWebhook,times=1", "--fault", "api-forbidden,for=1m")
    with serving("--virtual", *faults, folder=tmp_path) as server:
        for _ in range(2):
            views = requests.get(f"{server.url}/__mockcampaign/faults", timeout=20).json()
            assert [view["fault"]["kind"] for view in views] == ["api-error", "api-forbidden"]
            statuses = []
            for after in ("0s", "1m"):
                control(server, "/clock/advance", {"by": after})
                url = f"{server.url}/rest/{CLIENT}/webhooks"
                statuses.append(requests.get(url, auth=USER, timeout=20).status_code)
            assert statuses == [403, 200]
            control(server, "/reset", {})


def test_quiet_prints_no_calls(tmp_path: Path) -> None:
    with serving("--virtual", "--quiet", folder=tmp_path) as server:
        activated(server, "http://127.0.0.1:9/hook")
        assert server.end() == "stopped after 0 attempts: 0 events delivered, 0 discarded, 0 pending\n"


def test_it_ends_within_two_seconds_while_a_consumer_owes_a_response(tmp_path: Path, httpserver: HTTPServer) -> None:
    def slowly(request: object) -> Any:
        from werkzeug import Response

        time.sleep(5)
        return Response()

    httpserver.expect_request("/hook").respond_with_handler(slowly)
    with serving(folder=tmp_path) as server:
        with httpserver.wait(raise_assertions=False, timeout=0.5):
            activated(server, httpserver.url_for("/hook"))
            control(server, "/emit", {"type": "open"})
        assert "1 pending" in server.end()


@pytest.mark.slow
@pytest.mark.parametrize("pace", ["--speed=1", "--virtual"])
def test_a_clock_file_that_breaks_is_the_last_line(tmp_path: Path, pace: str) -> None:
    clock = tmp_path / "clocks" / "clock"
    clock.parent.mkdir()
    ClockFile(clock).create()
    with serving(pace, "--quiet", "--clock", str(clock), folder=tmp_path) as server:
        activated(server, "http://127.0.0.1:9/hook")
        clock.parent.rename(tmp_path / "elsewhere")
        control(server, "/emit", {"type": "open"})
        said, _ = server.process.communicate(timeout=30)
        lines = [line for line in said.splitlines() if "the consumer's clock stays where it is" not in line]
        assert lines == [f"mockcampaign: --clock {clock}: cannot be written: No such file or directory"]
        assert server.process.returncode == 3


def test_every_option_is_an_environment_variable(tmp_path: Path) -> None:
    environment = {
        "MOCKCAMPAIGN_SERVE_CLIENT_ID": "77",
        "MOCKCAMPAIGN_SERVE_USER": "joe",
        "MOCKCAMPAIGN_SERVE_PASSWORD": "pw",
        "MOCKCAMPAIGN_SERVE_SPEED": "60",
        "MOCKCAMPAIGN_SERVE_SEED": "5",
    }
    with serving(folder=tmp_path, **environment) as server:
        answer = requests.get(f"{server.url}/rest/77/users/authenticated", auth=("joe", "pw"), timeout=20)
        assert (answer.status_code, answer.json()["username"]) == (200, "joe")
        state = requests.get(f"{server.url}/__mockcampaign/state", timeout=20).json()
        assert (state["speed"], state["seed"], state["clients"]) == (60, 5, [77])
        assert "pw" not in "\n".join(server.said)


def test_more_clients_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "clients.yaml").write_text(
        "clients:\n"
        "  - {id: 1, users: [{username: a, password: '${A_PASSWORD}'}, {username: b, password: pb}]}\n"
        "  - {id: 2, users: [{username: a, password: pa2}]}\n"
    )
    passwords = {"A_PASSWORD": "pa1", "MOCKCAMPAIGN_SERVE_PASSWORD": "0ther"}
    with serving("--clients", "clients.yaml", folder=tmp_path, **passwords) as server:
        assert f"  user        {USER[0]}, with the password given" in server.said
        for client, user, password, status in (
            (1, "a", "pa1", 200),
            (1, "b", "pb", 200),
            (2, "a", "pa2", 200),
            (2, "b", "pb", 401),
            (CLIENT, USER[0], "0ther", 200),
            (CLIENT, *USER, 401),
            (1, USER[0], "0ther", 401),
        ):
            url = f"{server.url}/rest/{client}/users/authenticated"
            assert requests.get(url, auth=(user, password), timeout=20).status_code == status


SCENARIO = """\
name: Preloaded
seed: 3
consumer: {url: "${TARGET}"}
webhooks:
  opens: {type: open}
  clicks: {type: click, client: 88}
steps:
  - activate: opens
  - emit: {type: open, count: 5}
  - outage: {for: 1h}
  - advance: 30m
  - emit: {type: open, count: 7}
  - run: until-idle
  - emit: {type: open, count: 1}
"""


def test_a_scenario_creates_webhooks_clients_and_a_timeline(tmp_path: Path) -> None:
    (tmp_path / "x.scenario.yaml").write_text(SCENARIO)
    with (
        serve_in_thread(consumer_app(None)) as target,
        serving("--virtual", "--scenario", "x.scenario.yaml", folder=tmp_path, TARGET=f"{target}/hook") as server,
    ):
        webhooks = requests.get(f"{server.url}/rest/{CLIENT}/webhooks", auth=USER, timeout=20).json()
        assert [(webhook["type"], webhook["status"]) for webhook in webhooks] == [("open", "activated")]
        webhooks = requests.get(f"{server.url}/rest/88/webhooks", auth=USER, timeout=20).json()
        assert [(webhook["type"], webhook["status"]) for webhook in webhooks] == [("click", "created")]
        control(server, "/clock/advance", {"by": "29m"})
        deliveries = requests.get(f"{server.url}/__mockcampaign/state", timeout=20).json()["deliveries"]
        assert (deliveries["pending"], deliveries["delivered"]) == (5, 0)
        control(server, "/clock/advance", {"by": "2m"})
        deliveries = requests.get(f"{server.url}/__mockcampaign/state", timeout=20).json()["deliveries"]
        assert (deliveries["pending"], deliveries["delivered"]) == (12, 0)
        control(server, "/clock/advance", {"by": "1h"})
        journal = requests.get(f"{server.url}/__mockcampaign/journal", timeout=20).json()["entries"]
        happened = [
            (entry["at"] - journal[0]["at"], entry["count"]) for entry in journal if entry["entry"] == "happened"
        ]
        assert happened[:2] == [(0, 5), (30 * 60_000, 7)]
        # The last emission comes once nothing is left to send: with the first attempts after the outage.
        assert happened[2] == (60 * 60_000, 1)
        deliveries = requests.get(f"{server.url}/__mockcampaign/state", timeout=20).json()["deliveries"]
        assert (deliveries["pending"], deliveries["delivered"]) == (0, 13)


API_SCENARIO = """\
name: The application registers its webhook
consumer: {url: "http://127.0.0.1:9/hook"}
webhooks: {}
steps:
  - wait: {until: {api: {operation: activateWebhook, status: 200}}, for: 10m}
  - expect: {api: [{operation: createWebhook, status: 201, count: COUNT}, {status: 500, count: 0}]}
"""


def test_a_scenario_expects_calls_of_the_rest_api(tmp_path: Path) -> None:
    for count, said in (
        (1, "x.scenario.yaml: played to its end, 3 expectations met"),
        (2, "mockcampaign: x.scenario.yaml:6:20: api.createWebhook: expected 2 calls, status 201, actual 1: "),
    ):
        (tmp_path / "x.scenario.yaml").write_text(API_SCENARIO.replace("COUNT", str(count)))
        with serving("--virtual", "-q", "--scenario", "x.scenario.yaml", folder=tmp_path) as server:
            activated(server, "http://127.0.0.1:9/hook")  # which ends the wait, although time stands still
            assert server.end().startswith(said)


ROTATING_SCENARIO = """\
name: The password of the API changes
consumer: {url: "http://127.0.0.1:9/hook"}
webhooks: {}
steps:
  - rotate: {password: "${NEW_PASSWORD}", after: 2m}
"""


def test_a_scenario_rotates_the_password_of_a_user_which_is_valid_minutes_later(tmp_path: Path) -> None:
    (tmp_path / "x.scenario.yaml").write_text(ROTATING_SCENARIO)
    with serving("--virtual", "--scenario", "x.scenario.yaml", folder=tmp_path, NEW_PASSWORD="s3cret") as server:
        rest = f"{server.url}/rest/123456789001/users/authenticated"

        def statuses() -> list[int]:
            pairs = [("mockcampaign", password) for password in ("mockcampaign", "s3cret")]
            return [requests.get(rest, auth=pair, timeout=20).status_code for pair in pairs]

        assert statuses() == [200, 401]
        control(server, "/clock/advance", {"by": "119s"})
        assert statuses() == [200, 401]
        control(server, "/clock/advance", {"by": "1s"})
        assert statuses() == [401, 200]


def test_https_with_a_certificate_created_at_the_start(tmp_path: Path) -> None:
    arguments = ["--tls", "--tls-ca-file", "ca.pem", "--allow-host", "api.campaign.episerver.net"]
    with serving(*arguments, folder=tmp_path) as server:
        assert server.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        with urllib.request.urlopen(f"{server.url}/__mockcampaign/health", context=context, timeout=20) as answer:
            assert json.load(answer)["status"] == "ok"
        # Like a client that has the vendor's name hard-coded, with an entry in the hosts file.
        host, port = server.url.removeprefix("https://").split(":")
        with (
            socket.create_connection((host, int(port)), timeout=20) as plain,
            context.wrap_socket(plain, server_hostname="api.campaign.episerver.net") as secured,
        ):
            secured.sendall(b"GET /docs HTTP/1.1\r\nHost: api.campaign.episerver.net\r\nConnection: close\r\n\r\n")
            assert secured.recv(15) == b"HTTP/1.1 200 OK"


def test_a_ca_is_used_again_so_that_clients_trust_it_once(tmp_path: Path) -> None:
    arguments = ["--tls", "--tls-ca-file", "ca.pem"]
    authorities = []
    for _ in range(2):
        with serving(*arguments, folder=tmp_path) as server:
            authorities.append((tmp_path / "ca.pem").read_bytes())
            context = ssl.create_default_context(cadata=authorities[0].decode())
            with urllib.request.urlopen(f"{server.url}/__mockcampaign/health", context=context, timeout=20) as answer:
                assert json.load(answer)["status"] == "ok"
    assert authorities[0] == authorities[1]
    assert os.name != "posix" or (tmp_path / "ca.pem.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("key", "why"), [(None, "its key ca.pem.key is missing"), (b"no key", "it and ca.pem.key are no CA and its key")]
)
def test_a_ca_that_cannot_be_used_again_is_rejected_and_stays(tmp_path: Path, key: bytes | None, why: str) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(b"somebody else's")
    if key is not None:
        Path(f"{path}.key").write_bytes(key)
    status, _, complained = called_main("serve", "--port", "0", "--tls", "--tls-ca-file", str(path))
    assert status == 2
    assert why in complained
    assert path.read_bytes() == b"somebody else's"


def test_a_ca_needs_its_own_key_and_the_right_to_sign(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one.pem", "other.pem")]
    for path in paths:
        with certificate_files(["localhost"], path, is_kept=True) as (chain, key):
            leaf = Path(chain).read_bytes(), Path(key).read_bytes()
    for ca, ca_key, why in (
        (paths[0].read_bytes(), Path(f"{paths[1]}.key").read_bytes(), "ca.pem.key is the key of another certificate"),
        (*leaf, "it is the certificate of no CA"),
    ):
        path = tmp_path / "ca.pem"
        path.write_bytes(ca)
        Path(f"{path}.key").write_bytes(ca_key)
        status, _, complained = called_main("serve", "--port", "0", "--tls", "--tls-ca-file", str(path))
        assert (status, len(complained.splitlines())) == (2, 1)
        assert why in complained
        assert path.read_bytes() == ca


def test_the_host_that_it_listens_on_is_a_name_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    apps: list[Any] = []

    async def keep(app: Any, listening: socket.socket, **more: Any) -> None:
        apps.append(app)

    monkeypatch.setattr("mockcampaign.server.serve.listen", lambda host, port: listen("127.0.0.1", port))
    monkeypatch.setattr("mockcampaign.server.serve.serve_until_signalled", keep)
    said = CliRunner().invoke(cli, ["serve", "--host", "mybox", "--port", "0", "--allow-host", "campaign.test"])
    assert said.exit_code == 0, said.output

    async def status(host: str) -> int:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        path = "/__mockcampaign/health"
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"",
            "headers": [(b"host", host.encode())],
        }
        await apps[0](scope, None, send)
        return int(sent[0]["status"])

    for host, wanted in (("mybox", 200), ("MyBox:8080", 200), ("campaign.test", 200), ("mybox.example", 403)):
        assert asyncio.run(status(host)) == wanted


def files_with_keys(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]


def test_a_killed_server_leaves_no_key_behind(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serving("--tls", folder=tmp_path, TMPDIR=str(temporary)) as server:
        assert server.url.startswith("https://")
        assert files_with_keys(temporary) == []
        server.process.kill()
        server.process.wait(timeout=20)
    assert files_with_keys(temporary) == []


@pytest.mark.skipif(os.name != "posix", reason="Windows has other rights of files")
def test_only_the_user_may_read_the_key_where_it_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with certificate_files(["localhost"], tmp_path / "ca.pem") as (chain, key):
        assert Path(key).read_text().startswith("-----BEGIN ")
        assert Path(key).stat().st_mode & 0o777 == 0o600
        check_tls_files(chain, key)
    assert [path.name for path in tmp_path.iterdir()] == ["ca.pem"]


def test_a_server_that_others_can_reach_sends_only_to_allowed_targets(tmp_path: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("ok")
    target = httpserver.url_for("/hook")
    form = {"targetUrl": target, "type": "open", "format": "json"}
    with serving("--host", "0.0.0.0", "--virtual", folder=tmp_path) as server:
        base = f"{server.url}/rest/{CLIENT}/webhooks".replace("0.0.0.0", "127.0.0.1")
        answer = requests.post(base, form, auth=USER, timeout=20)
        assert answer.status_code == 400
        assert answer.json()["violations"][0].startswith("targetUrl: host localhost is not an allowed target, allowed:")
    arguments = ["--host", "0.0.0.0", "--virtual", "--allow-target", "127.0.0.0/8", "--control-token", TOKEN]
    with serving(*arguments, folder=tmp_path) as server:
        activated(server, target)
        control(server, "/emit", {"type": "open"}, token=TOKEN)
        control(server, "/clock/advance", {"by": "1s"}, token=TOKEN)
        assert "1 event delivered" in server.end()


def test_a_server_that_others_can_reach_demands_a_token_and_says_what_it_reaches(tmp_path: Path) -> None:
    with serving("--host", "0.0.0.0", folder=tmp_path) as server:
        line, targets = server.said[7:9]
        found = re.fullmatch(
            r"  token       (\S{22}); live page and control API need it, as password or bearer token", line
        )
        assert found is not None
        assert targets == "  targets     none without --allow-target"
        for path, status in (
            ("/", 401),
            ("/__mockcampaign/state", 401),
            ("/__mockcampaign/health", 200),
            ("/docs", 200),
        ):
            assert requests.get(f"{server.url}{path}", timeout=20).status_code == status
        for path in ("/", "/__mockcampaign/state"):
            assert requests.get(f"{server.url}{path}", auth=("any", found[1]), timeout=20).status_code == 200
    with serving("--host", "0.0.0.0", folder=tmp_path) as server:
        assert found[1] not in server.said[7]


def test_a_token_that_is_given_is_not_printed_and_needed_on_loopback_too(tmp_path: Path) -> None:
    with serving("--allow-target", "198.51.100.7", folder=tmp_path, MOCKCAMPAIGN_SERVE_CONTROL_TOKEN=TOKEN) as server:
        assert server.said[7:9] == [
            "  token       as given; live page and control API need it, as password or bearer token",
            "  targets     loopback and private addresses, 198.51.100.7",
        ]
        assert control(server, "/reset", {}).status_code == 401
        assert control(server, "/reset", {}, token=TOKEN).status_code == 204


@pytest.mark.slow
def test_deliveries_over_https_need_a_trusted_certificate(tmp_path: Path) -> None:
    arguments = ["--tls", "--tls-ca-file", "ca.pem", "--virtual"]
    with serving(*arguments, folder=tmp_path) as target:
        for more, outcome in (
            ([], "certificate"),
            (["--ca", "ca.pem"], "404"),
            (["--insecure"], "404"),
        ):
            with serving("--virtual", *more, folder=tmp_path) as server:
                activated(server, f"{target.url}/rest/hook")
                control(server, "/emit", {"type": "open"})
                control(server, "/clock/advance", {"by": "1s"})
                journal = requests.get(f"{server.url}/__mockcampaign/journal", timeout=20).json()["entries"]
                [status_text] = [entry["status_text"] for entry in journal if entry["entry"] == "attempted"]
                assert outcome in status_text


CAPTURED = {"events": [{"kind": "opened", "ref": "f3a0-00174", "at": 1_772_441_950_662}]}


@pytest.mark.parametrize(
    "options", [["--like", "open=c.json"], ["--shape", "s.yaml"], ["--scenario", "s.scenario.yaml"]]
)
def test_events_get_the_shape_of_captured_ones(tmp_path: Path, httpserver: HTTPServer, options: list[str]) -> None:
    httpserver.expect_request("/captured").respond_with_data("")
    (tmp_path / "c.json").write_text(json.dumps(CAPTURED))
    (tmp_path / "s.yaml").write_text(shape_yaml(shape_of_file(tmp_path / "c.json")))
    (tmp_path / "s.scenario.yaml").write_text(
        "name: x\nshape: c.json\nconsumer: {url: 'http://127.0.0.1:9/'}\nsteps: [{advance: 1s}]\n"
    )
    with serving("--virtual", *options, folder=tmp_path) as server:
        assert "  as captured open" in server.said
        activated(server, httpserver.url_for("/captured"))
        control(server, "/emit", {"type": "open", "count": 3})
        control(server, "/clock/advance", {"by": "2s"})
        # Only its own requests: a consumer of an earlier test may still be sent to.
        received = [request.get_json() for request, _ in httpserver.log if request.path == "/captured"]
        events = [event for body in received for event in body["events"]]
        assert [list(event) for event in events] == [["kind", "ref", "at"]] * 3
        state = requests.get(f"{server.url}/__mockcampaign/state", timeout=20).json()
        assert state["capturedTypes"] == ["open"]
        refused = control(server, "/mailing", {"recipients": 10})
        assert (refused.status_code, refused.json()["error"][:40]) == (400, "mailing: it consists of events of Campai")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--like", "c.json"], "--like: 'c.json' has no type, allowed: TYPE=FILE such as click=captured.json"),
        (["--like", "opne=c.json"], "--like: 'opne', allowed: open, click, "),
        (["--like", "open=nowhere.json"], "--like: 'nowhere.json' does not exist"),
        (["--like", "open=x.scenario.yaml"], "x.scenario.yaml: not JSON: "),
        (
            ["--shape", "c.json", "--like", "open=c.json"],
            "--like, --shape: open events have a shape already, allowed: one",
        ),
        (["--user", "a:b"], "--user: 'a:b' is not a user name"),
        (["--user", ""], "--user: '' is not a user name"),
        (["--control-token", "short"], "--control-token: not a token, allowed: 8 to 200 letters, digits and other"),
        (["--tls-key", "x.scenario.yaml"], "--tls-certificate: missing"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
        (["--fault", "api-eror"], "--fault: fault: unknown kind 'api-eror', did you mean 'api-error'? "),
        (["--fault", "api-error,operation=x"], "--fault: fault api-error: unknown operation 'x' (allowed: createWeb"),
        (["--fault", "api-error,every"], "--fault: fault api-error: every: '' does not fit, allowed: a whole number"),
        (["--clients", "x.scenario.yaml"], "x.scenario.yaml:1:1: "),
        (["--scenario", "broken.yaml"], "broken.yaml:"),
        (["--tls", "--tls-ca-file", "nowhere/ca.pem"], "--tls-ca-file"),
        (["--tls", "--allow-host", "not a name"], "--allow-host"),
        (["--allow-target", "10.0.0.1/8"], "--allow-target: '10.0.0.1/8' is not a target, allowed: a host name,"),
        (["--scenario", "elsewhere.yaml"], "elsewhere.yaml: host 198.51.100.1 is not an allowed target, allowed: "),
        (
            ["--host", "0.0.0.0", "--scenario", "x.scenario.yaml"],
            "x.scenario.yaml: host 127.0.0.1 is not an allowed target, allowed: hosts and networks given with",
        ),
    ],
)
def test_wrong_options_are_one_line_and_status_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "x.scenario.yaml").write_text(SCENARIO)
    (tmp_path / "broken.yaml").write_text("name: [")
    (tmp_path / "c.json").write_text(json.dumps(CAPTURED))
    (tmp_path / "elsewhere.yaml").write_text(
        SCENARIO.replace("clicks: {type: click,", "clicks: {type: click, url: 'http://198.51.100.1/',")
    )
    status, said = failed(*arguments, folder=tmp_path, TARGET="http://127.0.0.1:9/")
    assert status == 2
    assert len(said.splitlines()) == 1
    assert message in said


def test_a_failing_scenario_step_is_reported_and_the_server_goes_on(tmp_path: Path) -> None:
    (tmp_path / "x.scenario.yaml").write_text(SCENARIO)
    with serving("--virtual", "--scenario", "x.scenario.yaml", folder=tmp_path, TARGET="http://127.0.0.1:9/") as server:
        base = f"{server.url}/rest/{CLIENT}/webhooks"
        [webhook] = requests.get(base, auth=USER, timeout=20).json()
        requests.post(f"{base}/{webhook['id']}/deactivate", auth=USER, timeout=20)
        control(server, "/clock/advance", {"by": "4d"})
        assert requests.get(base, auth=USER, timeout=20).status_code == 200
        assert "discarded" in server.end()
