"""`serve --state` in a process of its own, which is killed again and again."""

from __future__ import annotations

import contextlib
import json
import random
import resource
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from mockcampaign.engine.journal import Attempted, WebhookChanged
from mockcampaign.judging.recorded import load_journals
from mockcampaign.policy import DEFAULT_CLIENT_ID, DEFAULT_PASSWORD, DEFAULT_USER
from serve_process import Serving, control, serving

BATCH_MAX = 100


class Received:
    """A consumer that remembers what it was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.batches: list[list[str]] = []

    @property
    def events(self) -> Counter[str]:
        return Counter(event for batch in self.batches for event in batch)


@contextmanager
def receiving() -> Iterator[Received]:
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.batches.append([json.dumps(event) for event in json.loads(body)])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    received.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def rest(
    server: Serving, method: str, path: str, *, password: str = DEFAULT_PASSWORD, **form: str
) -> requests.Response:
    return requests.request(
        method,
        f"{server.url}/rest/{DEFAULT_CLIENT_ID}{path}",
        data=form,
        auth=(DEFAULT_USER, password),
        timeout=20,
    )


def activated(server: Serving, url: str, event_type: str = "open") -> int:
    created = rest(server, "POST", "/webhooks", type=event_type, targetUrl=url, format="json")
    assert created.status_code == 201, created.text
    number: int = created.json()["id"]
    assert rest(server, "POST", f"/webhooks/{number}/activate").ok
    return number


def pending(server: Serving) -> int:
    state = requests.get(f"{server.url}/__mockcampaign/state", timeout=20).json()
    return sum(webhook["pending"] for webhook in state["webhooks"])


def lists(server: Serving) -> tuple[int, int]:
    """The ids of the list that transactional mails go to, and of the other one."""
    of_kind = {one["forTransactionApi"]: one["id"] for one in rest(server, "GET", "/recipientlists").json()["elements"]}
    return of_kind[True], of_kind[False]


def send(server: Serving, recipient_id: str) -> str:
    """Send the client's mail, and return the id that it gets."""
    [mail] = rest(server, "GET", "/transactionalmail").json()["elements"]
    [list_id, _] = lists(server)
    path = f"/transactionalmail/{mail['id']}/send"
    mail_id: str = rest(server, "POST", path, recipientId=recipient_id, recipientListId=str(list_id)).json()["mailId"]
    return mail_id


class Load:
    """Calls of a server, with what they have achieved, and may have achieved without a response."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self.events = self.uncertain_events = 0
        self.asked = 0
        """Number of recipients that were to be added."""
        self.recipients: list[str] = []
        self.failed = 0
        self.mails: list[str] = []

    def call(self, server: Serving) -> None:
        """Make one call. Raises `requests.RequestException` if the server is killed meanwhile."""
        match self._draw.choice(["events", "events", "recipient", "mail"]):
            case "events":
                count = self._draw.choice([1, 30, 250])
                self.uncertain_events += count
                assert control(server, "/emit", {"type": "open", "count": count}).ok
                self.uncertain_events -= count
                self.events += count
            case "recipient":
                self.asked += 1
                recipient = f"r{self.asked}@example.com"
                status = rest(server, "POST", f"/recipients/{lists(server)[1]}", recipientId=recipient).status_code
                assert status in (201, 500)
                if status == 201:
                    self.recipients.append(recipient)
                else:
                    self.failed += 1
            case "mail":
                self.mails.append(send(server, "silent+anna@example.com"))


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.parametrize("kills", [200])
def test_what_was_accepted_is_delivered_and_at_most_a_batch_twice(kills: int, tmp_path: Path) -> None:
    draw, load = random.Random(kills), Load(kills)
    with receiving() as consumer:
        for number in range(kills + 1):
            with serving("--state", "state", "--virtual", folder=tmp_path) as server:
                if not number:
                    activated(server, consumer.url)
                    cut_off = activated(server, consumer.url, "click")
                    assert control(server, "/outages", {"for": "1h", "webhookId": cut_off}).ok
                    assert control(server, "/emit", {"type": "click", "count": 1}).ok
                    assert control(server, "/faults", {"kind": "api-error", "operation": "addRecipient", "every": 3}).ok
                    assert control(server, "/users/rotate", {"password": "n3w", "after": "2m"}).ok
                if number == kills:
                    assert control(server, "/clock/advance", {"by": "1m"}).ok
                    check_contents(server, load, kills)
                    break
                killer = threading.Timer(draw.random() * 0.15, server.process.kill)
                killer.start()
                try:
                    while True:
                        load.call(server)
                except requests.RequestException:
                    pass  # killed
                killer.join()
                server.process.wait()
                assert server.process.returncode == -signal.SIGKILL
    events = consumer.events
    assert load.events <= len(events) <= load.events + load.uncertain_events
    assert events.total() - len(events) <= kills * BATCH_MAX
    assert max(events.values()) <= 1 + kills
    assert {json.loads(event)["type"] for event in events} == {"open"}


def check_contents(server: Serving, load: Load, kills: int) -> None:
    """Each recipient and mail is there that a response confirmed, and what was declared has gone on all the time."""
    state = requests.get(f"{server.url}/__mockcampaign/state", timeout=20).json()
    assert {webhook["type"]: webhook["pending"] for webhook in state["webhooks"]} == {"open": 0, "click": 1}
    [fault] = state["faults"]
    assert load.failed <= fault["hits"] <= load.failed + kills
    assert len(load.recipients) // 2 - kills <= fault["hits"] <= load.asked // 3
    path = f"/recipients/{lists(server)[1]}"
    count = rest(server, "GET", f"{path}/count").json()["count"]
    assert len(load.recipients) <= count <= len(load.recipients) + kills
    for recipient in load.recipients:
        assert rest(server, "GET", f"{path}/{quote(recipient)}").ok
    for mail_id in load.mails:
        assert rest(server, "GET", f"/transactionalmail/status?mailId={mail_id}").json()["sendStatus"] == "sent"
    assert control(server, "/clock/advance", {"by": "1m"}).ok
    assert rest(server, "GET", "/webhooks").status_code == 401
    assert rest(server, "GET", "/webhooks", password="n3w").ok


@pytest.mark.slow
def test_webhooks_keep_their_ids_and_no_id_comes_back(tmp_path: Path) -> None:
    with serving("--state", "state", "--virtual", folder=tmp_path) as server:
        first = activated(server, "http://127.0.0.1:9/hook")
        server.process.kill()
    with serving("--state", "state", "--virtual", folder=tmp_path) as server:
        [webhook] = rest(server, "GET", "/webhooks").json()
        assert (webhook["id"], webhook["status"]) == (first, "activated")
        second = activated(server, "http://127.0.0.1:9/hook", "click")
        assert second > first
        # The call just before the kill counts, too.
        expected = {"operation": "activateWebhook", "status": 200, "count": 2}
        assert control(server, "/expect", {"api": expected}).json()["verdict"] == "compliant"
        assert rest(server, "POST", f"/webhooks/{second}/deactivate").ok
        assert rest(server, "DELETE", f"/webhooks/{second}").ok
        server.process.kill()
    with serving("--state", "state", "--virtual", folder=tmp_path) as server:
        assert activated(server, "http://127.0.0.1:9/hook", "click") > second


def test_mailings_of_earlier_events_still_exist(tmp_path: Path) -> None:
    with receiving() as consumer:
        with serving("--state", "state", "--virtual", folder=tmp_path) as server:
            number = activated(server, consumer.url)
            assert control(server, "/emit", {"type": "open", "count": 1}).ok
            assert control(server, "/clock/advance", {"by": "1s"}).ok
            server.process.kill()
        [[event]] = consumer.batches
        with serving("--state", "state", "--virtual", folder=tmp_path) as server:
            path = f"/webhooks/{number}/verify?mailingId={json.loads(event)['mailingId']}"
            assert rest(server, "GET", path).ok


@pytest.mark.slow
def test_a_mail_is_opened_although_the_server_was_killed_after_it_was_sent(tmp_path: Path) -> None:
    address = "open+anna@example.com"
    with receiving() as consumer:
        with serving("--state", "state", "--virtual", folder=tmp_path) as server:
            for event_type in ("sent", "open"):
                activated(server, consumer.url, event_type)
            other = lists(server)[1]
            assert rest(server, "POST", f"/recipients/{other}", recipientId=address).status_code == 201
            mail_id = send(server, address)
            server.process.kill()
        assert not consumer.batches
        with serving("--state", "state", "--virtual", folder=tmp_path) as server:
            assert rest(server, "GET", f"/recipients/{other}/{quote(address)}").json()["id"] == address
            status = "/transactionalmail/status"
            assert rest(server, "GET", f"{status}?mailId={mail_id}").json()["sendStatus"] == "enqueued"
            assert control(server, "/clock/advance", {"by": "7d"}).ok
            assert rest(server, "GET", f"{status}?mailId={mail_id}").json()["sendStatus"] == "sent"
            assert send(server, address) != mail_id
    events = [json.loads(event) for batch in consumer.batches for event in batch]
    assert [event["type"] for event in events if event["mailId"] == mail_id][:2] == ["sent", "open"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="sets a limit of another process")
def test_a_file_that_cannot_grow_ends_the_server_with_one_line_and_nothing_is_accepted(tmp_path: Path) -> None:
    with serving("--state", "state", "--virtual", folder=tmp_path) as server:
        number = activated(server, "http://127.0.0.1:9/hook")
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (300_000, 300_000))
        with contextlib.suppress(requests.ConnectionError):
            answer = control(server, "/emit", {"type": "open", "count": 50_000})
            assert answer.status_code == 503
            assert "state" in answer.text
        said, _ = server.process.communicate(timeout=20)
        assert server.process.returncode == 2
        [line] = [line for line in said.splitlines() if "disk" in line or "file" in line][-1:]
        assert "state file state: " in line
    with serving("--state", "state", "--virtual", folder=tmp_path) as server:
        [webhook] = rest(server, "GET", "/webhooks").json()
        assert webhook["id"] == number
        assert pending(server) == 0


def test_a_journal_of_a_killed_server_is_evidence(tmp_path: Path) -> None:
    with receiving() as consumer, serving("--journal", "journal", "--virtual", folder=tmp_path) as server:
        activated(server, consumer.url)
        assert control(server, "/emit", {"type": "open", "count": 3}).ok
        assert control(server, "/clock/advance", {"by": "1s"}).ok
        assert control(server, "/reset", {}).ok
        activated(server, consumer.url)
        assert control(server, "/clock/advance", {"by": "1s"}).ok
        server.process.kill()
    first, second = load_journals(tmp_path / "journal")
    assert [entry.events for entry in first.entries if isinstance(entry, Attempted)] == [3]
    assert [entry.command for entry in second.entries if isinstance(entry, WebhookChanged)] == ["create", "activate"]


@pytest.mark.slow
def test_the_start_line_says_what_is_kept_and_which_password_is_valid(tmp_path: Path) -> None:
    with serving("--virtual", folder=tmp_path) as server:
        assert "in memory only" in server.said[-1]
    with serving("--virtual", "--state", "kept", folder=tmp_path) as server:
        assert server.said[-1].split()[:3] == ["state", "kept", "keeps"]
        assert f"password {DEFAULT_PASSWORD}" in server.said[2]
        assert control(server, "/users/rotate", {"password": "n3w", "after": "0s"}).ok
        server.process.kill()
    with serving("--virtual", "--state", "kept", folder=tmp_path) as server:
        assert server.said[2].endswith(f"{DEFAULT_USER}, with the rotated password")
