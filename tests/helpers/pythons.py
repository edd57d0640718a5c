"""Install the wheel for each Python of this machine, and try it there: `python tests/helpers/pythons.py`.

The Pythons are those of pyenv, of uv and of the PATH, one for each supported minor version. Arguments name others:
`python tests/helpers/pythons.py /opt/python3.14/bin/python3`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from archives import both, copy_sources
from numbered_histories import HISTORIES_HASH, JOURNAL_HASHES

MINORS = range(11, 15)
"""The supported minor versions of Python 3."""

VERSION = "import sys; print(sys.version_info[1] if sys.version_info[0] == 3 else 0, sys.version.split()[0])"

TEST = f"""
import asyncio
import hashlib
import json

import msgspec

from mockcampaign.check.check import CheckRun
from mockcampaign.check.histories.numbered import history_of
from mockcampaign.check.probes.store_probe import CallableProbe
from mockcampaign.check.settings import Settings
from mockcampaign.samples.consumer import application
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Store
from mockcampaign.transport.inprocess import AsgiTransport

HISTORIES_HASH, JOURNAL_HASHES = {HISTORIES_HASH!r}, {JOURNAL_HASHES!r}
received = []

async def app(scope, receive, send):
    if scope["type"] == "http":
        message = await receive()
        received.extend(event for event in json.loads(message["body"]) if event not in received)
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        await send({{"type": "http.response.body", "body": b""}})

def test_it(campaign):
    campaign.webhook("open", target=app, path="/hook")
    campaign.emit("open", count=250)
    campaign.outage("2h")
    with campaign.fault("lost-ack", times=1):
        campaign.run()
    campaign.assert_compliant(processed=received)

def test_check(campaign_check):
    campaign_check(app, "/hook", probe=lambda: received, rules=["redelivery"], seed=1)

def test_a_number_means_the_same_history_and_journal_on_every_python():
    histories = [[step.seen() for step in history_of(1, number)] for number in range(1, 1_001)]
    assert hashlib.sha256(msgspec.json.encode(histories)).hexdigest() == HISTORIES_HASH
    for (seed, number), expected in JOURNAL_HASHES.items():
        consumer = Consumer(Store(), None)
        check = CheckRun(
            "http://app/hook",
            transport=AsgiTransport(application(consumer)),
            settings=Settings(now=1_750_000_000_000, rules=("survives-random-histories",), seed=seed, history=number),
            probe=CallableProbe(consumer.store.events),
        )
        asyncio.run(check.finish())
        assert check.coverage.fingerprint == expected
"""


def candidates() -> Iterable[str]:
    """Yield programs that may be Pythons."""
    yield from sys.argv[1:]
    for folder in (Path.home() / ".pyenv/versions", Path.home() / ".local/share/uv/python"):
        yield from map(str, sorted(folder.glob("*/bin/python3"), reverse=True))
    for minor in MINORS:
        if (found := shutil.which(f"python3.{minor}")) is not None:
            yield found


def pythons() -> dict[int, tuple[str, str]]:
    """Return a Python and its version for each supported minor version that is here."""
    found: dict[int, tuple[str, str]] = {}
    for program in candidates():
        done = subprocess.run([program, "-c", VERSION], capture_output=True, text=True, check=False)
        minor, _, version = done.stdout.strip().partition(" ")
        if done.returncode == 0 and minor.isdigit() and int(minor) in MINORS:
            found.setdefault(int(minor), (program, version))
    return dict(sorted(found.items()))


def tried(program: str, wheel: Path, folder: Path) -> str:
    """Install the wheel for a Python, use it, and return what went wrong; nothing if all went well."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    scripts = folder / "venv/bin"
    (folder / "empty").mkdir()
    (folder / "empty/test_it.py").write_text(TEST)
    for command in (
        [program, "-m", "venv", str(folder / "venv")],
        [str(scripts / "pip"), "install", "-q", "--disable-pip-version-check", f"{wheel}[all,pytest]"],
        [str(scripts / "mockcampaign"), "--version"],
        [str(scripts / "mockcampaign"), "demo", "-q"],
        [str(scripts / "python"), "-W", "error", "-m", "pytest", "-q", "test_it.py"],
    ):
        done = subprocess.run(
            command, cwd=folder / "empty", env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            return f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return ""


def main() -> int:
    """Try each Python, and return 1 if something went wrong with any."""
    status = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = both(copy_sources(folder / "source"), folder / "dist").wheel
        for minor, (program, version) in pythons().items():
            (folder / str(minor)).mkdir()
            wrong = tried(program, wheel, folder / str(minor))
            status = 1 if wrong else status
            print(f"{version:8}  {'failed' if wrong else 'works'}  {program}\n{wrong}".rstrip())
    return status


if __name__ == "__main__":
    sys.exit(main())
