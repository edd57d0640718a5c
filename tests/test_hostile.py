"""A consumer that does its worst: nothing it says is obeyed by any output, and no secret is in any."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import junitparser
import pytest
from lxml import etree
from markdown_it import MarkdownIt

from browsers import browser, clean_page
from commands import mockcampaign
from mockcampaign.engine.journal_file import read_journals
from mockcampaign.report.json_report import json_schema
from places import TESTS

PASSWORD = 'geh"eim<&>ü'
PASSPHRASE = "Bearer tüken-4711"
SECRETS = (
    PASSWORD,
    PASSPHRASE,
    "tüken-4711",
    base64.b64encode(f"acme:{PASSWORD}".encode()).decode(),
    json.dumps(PASSWORD)[1:-1],
    "geh&quot;eim&lt;&amp;&gt;ü",
    "geh%22eim%3C%26%3E%C3%BC",
)

EVIL = (
    "<script>window.pwned=1</script><img src=http://evil.test/x onerror=window.pwned=2>]]><!-- --></td></script>"
    "\x1b[2J\x1b]0;owned\x07\x9b31m\u202eevil\u202c\x00\ufffe\r\n::error::pwned\n##[add-mask]pwned\n"
    "[a](javascript:alert(1)) ![b](http://evil.test/y) | `c` **d** {{ 7*7 }} {% raw %} ${{ secrets.X }} www.evil.test"
)

SCENARIO = """\
name: hostile
seed: 5
consumer:
  url: ${CONSUMER_URL}/hook
  probe: {url: "${CONSUMER_URL}/processed", events: "@"}
webhooks:
  opens: {type: open, auth: {basic: {username: acme, password: "${HOOK_PASSWORD}"}}}
  clicks: {type: click, auth: {key: {key: X-Key, passphrase: "${HOOK_PASSPHRASE}"}}}
steps:
  - activate: opens
  - activate: clicks
  - emit: {type: open, count: 3}
  - emit: {type: click, count: 2}
  - run: until-idle
  - expect:
      opens: {delivered: 4}
      consumer: {processed: exactly-once}
"""


class _Hostile(socketserver.StreamRequestHandler):
    """Answers the n-th request for events in the n-th way, and then with 200."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while self._exchange():
                pass

    def _exchange(self) -> bool:
        line = self.rfile.readline()
        if not line:
            return False
        headers = {}
        while (header := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = header.partition(b":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get(b"content-length", 0)))
        if line.startswith(b"GET"):
            self._answer(b"200 OK", json.dumps(self.server.processed()).encode())  # type: ignore[attr-defined]
        else:
            self.server.received.append(body)  # type: ignore[attr-defined]
            self._misbehave(len(self.server.received), headers)  # type: ignore[attr-defined]
        return True

    def _misbehave(self, number: int, headers: dict[bytes, bytes]) -> None:
        evil = EVIL.encode("utf-8", "surrogatepass")
        shown = re.sub(rb"[\x00\r\n]", b" ", evil)
        echo = b" ".join([*headers.values(), PASSWORD.encode(), b"geh%22eim%3C%26%3E%C3%BC"])
        match number:
            case 1:
                self._answer(b"500 " + shown, evil, b"X-Evil: " + shown)
            case 2:
                self._answer(b"302 Found", b"", b"Location: http://evil.test/" + shown)
            case 3:
                self._answer(b"503 no", b"\xff\xfe\x80" * 400_000)
            case 4:
                self._answer(b"400 no", echo, b"X-Echo: " + echo)
            case 5:
                self._answer(b"400 no", b"<" * 4_090 + PASSWORD.encode() * 3)
            case _:
                self._answer(b"200 OK", json.dumps({"you sent": echo.decode(), "and": EVIL}).encode())

    def _answer(self, status: bytes, body: bytes, *headers: bytes) -> None:
        head = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
        self.wfile.write(b"\r\n".join(head) + b"\r\n\r\n" + body)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        self.received: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Hostile)

    def processed(self) -> list[Any]:
        """What was sent, altered, and strangers with a secret in them."""
        events = [event for body in self.received[-2:] for event in json.loads(body)]
        strangers = [{**event, "type": EVIL, "device": PASSWORD, EVIL: 4711} for event in events[:2]]
        return [*events[2:], *strangers] if events else []


@pytest.fixture
def consumer() -> Iterator[str]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


FILES = ("--junit", "r.xml", "--html", "r.html", "--report-json", "r.json")
ON_GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "summary.md"}


@pytest.fixture
def outputs(tmp_path: Path, consumer: str) -> Path:
    """The folder of a run, with all that it left in files; what it printed is `printed`."""
    (tmp_path / "hostile.scenario.yaml").write_text(SCENARIO)
    environment = {"CONSUMER_URL": consumer, "HOOK_PASSWORD": PASSWORD, "HOOK_PASSPHRASE": PASSPHRASE, **ON_GITHUB}
    done = mockcampaign("run", ".", "-v", "--journal", "j.jsonl", *FILES, folder=tmp_path, **environment)
    assert (done.returncode, done.stderr) == (1, "")
    (tmp_path / "printed").write_text(done.stdout)
    judged = mockcampaign("judge", "j.jsonl", "-v", folder=tmp_path, **environment)
    (tmp_path / "judged").write_text(judged.stdout + judged.stderr)
    return tmp_path


def test_no_output_of_a_run_obeys_a_consumer_or_tells_a_secret(outputs: Path) -> None:
    for name in ("printed", "judged", "summary.md", "r.xml", "r.json", "j.jsonl"):
        assert "window" in (outputs / name).read_text(), f"{name} has nothing of the consumer's, and proves nothing"
    check_text((outputs / "printed").read_text())
    check_text((outputs / "judged").read_text())
    check_markdown((outputs / "summary.md").read_text())
    check_xml(outputs / "r.xml")
    check_json(outputs / "r.json")
    [journal] = read_journals((outputs / "j.jsonl").read_bytes(), "j")
    assert len(journal.entries) > 10
    check_secrets(outputs, "hostile.scenario.yaml")


@pytest.mark.slow
def test_a_browser_shows_the_consumers_words_as_words(outputs: Path) -> None:
    address = (outputs / "r.html").as_uri()
    with browser() as running, clean_page(running, address) as page:
        dialogs: list[Any] = []
        page.on("dialog", lambda dialog: dialogs.append(dialog))
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached")
        for button in page.locator(".attempts button.open").all():
            button.click()
        words = page.inner_text("body")
        assert page.evaluate("window.pwned") is None
        assert dialogs == []
        assert "<script>window.pwned=1</script>" in words
        assert not [secret for secret in SECRETS if secret in words]
        assert page.locator("main img, main a[href^=http], main script").count() == 0
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", words)


def test_no_output_of_a_check_obeys_a_consumer_or_tells_a_secret(tmp_path: Path, consumer: str) -> None:
    arguments = ("--probe", f"{consumer}/processed", "--basic-auth", f"acme:{PASSWORD}", "--seed", "5", "-v")
    done = mockcampaign("check", f"{consumer}/hook", *arguments, *FILES, folder=tmp_path, **ON_GITHUB)
    assert done.returncode in (1, 3)
    (tmp_path / "printed").write_text(done.stdout + done.stderr)
    check_text(done.stdout + done.stderr)
    check_markdown((tmp_path / "summary.md").read_text())
    check_xml(tmp_path / "r.xml")
    check_json(tmp_path / "r.json")
    check_secrets(tmp_path)


def check_text(text: str) -> None:
    """A terminal shows it all, and GitHub obeys only what is ours."""
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\ufeff\ufffe]", text)
    stopped = None
    for line in text.splitlines():
        start = re.match(r"\s*::stop-commands::(\w+)$", line)
        if start is not None:
            stopped = start[1]
        elif line == f"::{stopped}::":
            stopped = None
        elif stopped is None:
            assert not line.lstrip().startswith("::") or re.match(r"::(error|warning) ", line), line
            assert "##[" not in line or line.startswith("::"), line
    assert stopped is None


def check_markdown(text: str) -> None:
    """Rendered as GitHub renders it, it holds nothing but our own structure."""
    html = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text)
    tags = {tag.lower() for tag in re.findall(r"</?([a-zA-Z0-9]+)", html)}
    assert tags <= {"h2", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "strong", "code"}
    assert "www.evil.test" not in text


def check_xml(path: Path) -> None:
    document = etree.parse(path)
    for schema in ("junit-ant.xsd", "junit-jenkins.xsd"):
        etree.XMLSchema(etree.parse(TESTS / "schemas" / schema)).assertValid(document)
    assert {element.tag for element in document.iter()} <= {
        *("testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped"),
        *("system-out", "system-err"),
    }
    assert len(list(junitparser.JUnitXml.fromfile(str(path)))) >= 1


def check_json(path: Path) -> None:
    jsonschema.validate(json.loads(path.read_bytes()), json.loads(json_schema()))


def check_secrets(folder: Path, *but: str) -> None:
    """No file of the folder holds one, in whatever spelling, also where bytes are encoded."""
    for path in folder.iterdir():
        if path.name in but:
            continue
        content = path.read_bytes()
        packed = re.findall(rb'id="data">([^<]*)<', content)
        found = [content, *(gunzip(one) for one in packed)]
        found += [base64.b64decode(one) for one in re.findall(rb'"body": ?"([A-Za-z0-9+/=]+)"', content)]
        for secret in SECRETS:
            for text in found:
                assert secret.encode() not in text, (path.name, secret, os.fsdecode(text[:200]))


def gunzip(packed: bytes) -> bytes:
    import gzip

    return gzip.decompress(base64.b64decode(packed))
