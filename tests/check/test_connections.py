"""Requests that Campaign never sends leave nothing behind on a connection that other rules use."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mockcampaign.cli import cli


class _Handler(BaseHTTPRequestHandler):
    """Keeps connections open and reads only bodies that are lists, which is correct."""

    protocol_version = "HTTP/1.1"
    processed: list[object]

    def do_POST(self) -> None:
        self.processed += json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(200, b"")

    def do_GET(self) -> None:
        if self.path == "/processed":
            self._answer(200, json.dumps(self.processed).encode())
        else:
            self._answer(405, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"processed": []}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_unread_body_does_no_harm_to_the_next_request(url: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    probe = ("--probe", f"{url}/processed")
    arguments = ["check", url, *probe, "--rules", "accepts-post-only", "--report-json", str(report), "-q"]
    assert cli.main(arguments, standalone_mode=False) == 0
    outcomes = {rule["id"]: rule["outcome"] for rule in json.loads(report.read_bytes())["rules"]}
    assert outcomes["accepts-post-only"] == "pass"
