"""One engine: a check by HTTP, by the command line and in pytest finds the same with the same seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mockcampaign.samples.consumer import serve_consumer
from servers import running_server

BUG, RULES, EXAMPLES = "dedup-key-mail-id", ("identity", "stores-late-events", "responds-200"), 2

IN_PYTEST = """
import json
from mockcampaign.check.rules import CATALOGUE

def test_it(campaign_check):
    report = campaign_check(
        URL + "/hook", probe=URL + "/processed", rules=RULES, examples=EXAMPLES, allow=[rule.id for rule in CATALOGUE]
    )
    found = [{"id": one.id, "outcome": one.outcome, "identity": one.identity} for one in report.rules]
    open("found.json", "w").write(json.dumps(found))
"""


def by_http(url: str, folder: Path) -> Any:
    body = {"target": f"{url}/hook", "probe": {"url": f"{url}/processed"}, "rules": list(RULES), "examples": EXAMPLES}
    with running_server() as server:
        number = server.control("POST", "/check", {**body, "seed": 1}).json()["id"]
        return server.control("GET", f"/checks/{number}?wait=60s").json()["findings"]


def by_command(url: str, folder: Path) -> Any:
    report = folder / "report.json"
    given = ["--probe", f"{url}/processed", "--rules", ",".join(RULES), "--examples", str(EXAMPLES), "--seed", "1"]
    command = [sys.executable, "-m", "mockcampaign", "check", f"{url}/hook", *given, "--report-json", str(report)]
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == 1
    return json.loads(report.read_text())["rules"]


def by_pytest(url: str, folder: Path) -> Any:
    values = f"URL, RULES, EXAMPLES = {url!r}, {RULES!r}, {EXAMPLES}"
    (folder / "test_it.py").write_text(f"{values}\n{IN_PYTEST}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "mockcampaign.pytest_plugin", "--mockcampaign-seed", "1"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    return json.loads((folder / "found.json").read_text())


@pytest.mark.slow
def test_a_check_finds_the_same_at_each_door(tmp_path: Path) -> None:
    found = []
    for check in (by_http, by_command, by_pytest):
        with serve_consumer(BUG) as url:
            # In any order: a check hurries on a slow machine, and examines the most important rules first.
            found.append(sorted((one["id"], one["outcome"], str(one["identity"])) for one in check(url, tmp_path)))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) >= 10
    assert {outcome for _, outcome, _ in found[0]} >= {"pass", "fail"}
