"""Campaign's deliveries by Locust: a master and its workers, over loopback, account for every event."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from recording_consumer import recording_consumer

LOCUSTFILE = """
import gevent
from locust import events
from mockcampaign.locust import CampaignUser

class Opens(CampaignUser):
    path = "/hook"
    events_per_second = 400
    duration = "3s"
    drain = "15s"

# The run ends with the users of both workers. They may take as long as the command says, but seldom do.
@events.init.add_listener
def end_with_users(environment, **_):
    users, began = {}, set()

    @events.worker_report.add_listener
    def reported(client_id, data, **_):
        users[client_id] = data["user_count"]
        began.update(one for one, count in users.items() if count)
        if len(began) == 2 and not any(users.values()):
            gevent.spawn(environment.runner.quit)
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


def locust(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "locust", "-f", "locustfile.py", "--skip-log-setup", *options]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.parametrize("statuses", [[200], [200, 200, 200, 200, 200, 503]])
def test_a_master_and_two_workers_account_for_every_event(statuses: list[int], tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    port, report = str(free_port()), tmp_path / "events.json"
    with recording_consumer(statuses=statuses) as consumer:
        host = consumer.url.removesuffix("/hook")
        master = locust(
            tmp_path,
            *("--master", "--headless", "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
            *("--expect-workers", "2", "-u", "4", "-r", "4", "-t", "22s", "--host", host),
            *("--mockcampaign-json", str(report), "--exit-code-on-error", "0"),
        )
        workers = [locust(tmp_path, "--worker", "--master-host", "127.0.0.1", "--master-port", port) for _ in range(2)]
        processes = [master, *workers]
        try:
            shown = [process.communicate(timeout=60)[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
    assert master.returncode == 0, shown
    result = json.loads(report.read_text())
    total, clients = result["total"], result["clients"]
    assert total["created"] == 4 * 400 * 3, shown
    assert total["created"] == total["accepted"] + total["discarded"] + total["pending"]
    # Two workers with two users each, whose events nobody else has.
    assert len(clients) == 4
    assert len({int(client) // 100_000 for client in clients}) == 2
    # Event by event: each one that is counted as accepted reached the consumer once, and no other did.
    assert set(consumer.events.values()) == {1}
    accepted = {int(client): counts["accepted"] for client, counts in clients.items() if counts["accepted"]}
    assert consumer.of_clients() == accepted
    assert total["batches"] == len(consumer.sizes) + consumer.rejected


@pytest.mark.slow
def test_nothing_is_sent_by_locust_to_a_host_that_is_not_allowed(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    options = ("--headless", "-u", "1", "-t", "5s", "--host", "http://192.0.2.1")
    process = locust(tmp_path, *options)
    shown, _ = process.communicate(timeout=60)
    assert "192.0.2.1 is not an allowed target" in shown


def test_the_base_never_imports_locust() -> None:
    code = (
        "import sys, mockcampaign.campaign, mockcampaign.cli.commands.load, mockcampaign.load_test.load_run\n"
        "print('locust' in sys.modules or 'gevent' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
