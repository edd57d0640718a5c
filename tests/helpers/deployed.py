"""Consumers to deploy: one correct, the others with one mistake each that shows when they are restarted or rotated.

python deployed.py serve NAME FOLDER PORT
python deployed.py restart NAME FOLDER PORT     ends the process that was served before, and serves anew
python deployed.py rotate FOLDER                changes the password to that in MOCKCAMPAIGN_CREDENTIALS
"""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import sqlite3
import sys
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class Correct:
    """Stores each event once in SQLite before it responds, and accepts the current password and the one before."""

    key_is_unique = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.Lock()
        self.database = sqlite3.connect(folder / "events.db", check_same_thread=False)
        unique = "UNIQUE" if self.key_is_unique else ""
        self.database.execute(f"CREATE TABLE IF NOT EXISTS events (key TEXT {unique}, event TEXT)")
        starts = folder / "starts"
        self.number = int(starts.read_text()) + 1 if starts.exists() else 1
        starts.write_text(str(self.number))
        self.prepare()

    def prepare(self) -> None:
        """Prepare what else a consumer needs."""

    def passwords(self) -> list[str]:
        """Return the valid passwords; none if it requires no credentials."""
        path = self.folder / "passwords"
        return path.read_text().split() if path.exists() else []

    def handle(self, events: list[Event]) -> int:
        """Store a batch, and return the status."""
        self.store(events)
        return 200

    def store(self, events: list[Event]) -> None:
        rows = [(json.dumps(event, sort_keys=True), json.dumps(self.stored_form(event))) for event in events]
        with self.database:
            self.database.executemany("INSERT OR IGNORE INTO events VALUES (?, ?)", rows)

    def stored_form(self, event: Event) -> Event:
        return event

    def stored(self) -> list[Event]:
        return [json.loads(event) for (event,) in self.database.execute("SELECT event FROM events")]


class LosesQueue(Correct):
    """Acknowledges batches from a queue in memory, and ends at SIGTERM without emptying it."""

    def prepare(self) -> None:
        self.waiting: queue.Queue[list[Event]] = queue.Queue()
        threading.Thread(target=self.work, daemon=True).start()

    def work(self) -> None:
        while True:
            batch = self.waiting.get()
            threading.Event().wait(0.05)  # the work that is the reason for the queue
            with self.lock:
                self.store(batch)

    def handle(self, events: list[Event]) -> int:
        self.waiting.put(events)
        return 200


class ForgetsKeys(Correct):
    """Keeps the deduplication keys in memory."""

    key_is_unique = False

    def prepare(self) -> None:
        self.seen: set[str] = set()

    def store(self, events: list[Event]) -> None:
        new = {json.dumps(event, sort_keys=True): event for event in events}
        super().store([event for key, event in new.items() if key not in self.seen])
        self.seen.update(new)


class StaysClosed(Correct):
    """Finds the lock of the process before, and rejects everything from then on."""

    def handle(self, events: list[Event]) -> int:
        return super().handle(events) if self.number == 1 else 503


class CutsTexts(Correct):
    """Stores the names of browsers in a shorter column since the newest release."""

    def stored_form(self, event: Event) -> Event:
        return event if self.number == 1 else event | {"browser": event["browser"][:3]}


class KeepsParts(Correct):
    """Stores two fields of each event."""

    def stored_form(self, event: Event) -> Event:
        return {name: event[name] for name in ("mailRef", "at")}


class KeepsPassword(Correct):
    """Reads the password once."""

    def prepare(self) -> None:
        self.first = super().passwords()

    def passwords(self) -> list[str]:
        return self.first


class ReplacesPassword(Correct):
    """Accepts nothing but the newest password."""

    def passwords(self) -> list[str]:
        return super().passwords()[:1]


CONSUMERS = {
    one.__name__: one
    for one in (Correct, LosesQueue, ForgetsKeys, StaysClosed, CutsTexts, KeepsParts, KeepsPassword, ReplacesPassword)
}


def serve(name: str, folder: Path, port: int) -> None:
    consumer = CONSUMERS[name](folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def respond(self, status: int, body: bytes = b"{}") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            with consumer.lock:
                self.respond(200, json.dumps(consumer.stored()).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with consumer.lock:
                allowed = consumer.passwords()
                token = self.headers.get("Authorization", "Basic ").partition(" ")[2]
                given = b64decode(token).decode().partition(":")[2]
                self.respond(401 if allowed and given not in allowed else consumer.handle(json.loads(body)))

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing of a sender that has hung up."""

    def end(*_: object) -> None:
        def end_after_request() -> None:
            consumer.lock.acquire()
            os._exit(0)

        threading.Thread(target=end_after_request).start()

    with Server(("127.0.0.1", port), Handler) as server:
        signal.signal(signal.SIGTERM, end)
        (folder / f"{port}.pid").write_text(str(os.getpid()))
        server.serve_forever()


def start(name: str, folder: Path, port: int) -> int:
    """Serve in a process of its own, which outlives this one, and return its id."""
    command = [sys.executable, __file__, "serve", name, str(folder), str(port)]
    nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    return os.posix_spawn(sys.executable, command, os.environ, file_actions=nothing, setsid=True)


def stop(folder: Path, port: int, number: int = signal.SIGTERM) -> None:
    """End the process that serves, and wait until it has ended."""
    path = folder / f"{port}.pid"
    if not path.exists():
        return
    try:
        process = os.pidfd_open(int(path.read_text()))
    except ProcessLookupError:
        return
    signal.pidfd_send_signal(process, number)
    select.select([process], [], [], 20)
    os.close(process)
    path.unlink()


def rotate(folder: Path) -> None:
    """Put the new password before the current one."""
    path = folder / "passwords"
    new = os.environ["MOCKCAMPAIGN_CREDENTIALS"].partition(":")[2]
    fresh = folder / "passwords.new"
    fresh.write_text("\n".join([new, *path.read_text().split()[:1]]))
    fresh.replace(path)


def main(what: str, *arguments: str) -> None:
    match what, *arguments:
        case "serve", name, folder, port:
            serve(name, Path(folder), int(port))
        case "restart", name, folder, *ports:
            for port in ports:
                stop(Path(folder), int(port))
                start(name, Path(folder), int(port))
        case "rotate", folder:
            rotate(Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
