"""The worked examples in Python, each run as its user would run it: pytest in its folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from places import TESTS, documentation

EXAMPLES = TESTS / "examples"
PLUGINS = {"django_app": "django", "async_queue": "asyncio", "properties": "hypothesispytest"}
"""What a folder needs beside ours. Others take long to load."""
README = documentation()


def run(folder: str, **environment: str) -> tuple[int, str]:
    others = {plugin.name for plugin in entry_points(group="pytest11")} - {"mockcampaign", PLUGINS.get(folder)}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(f"-pno:{name}" for name in others)],
        cwd=EXAMPLES / folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("folder", sorted({path.parent.name for path in EXAMPLES.glob("*/test_*.py")}))
def test_examples_pass(folder: str) -> None:
    if folder in PLUGINS and PLUGINS[folder] not in {plugin.name for plugin in entry_points(group="pytest11")}:
        pytest.skip(f"the pytest plugin {PLUGINS[folder]} is not installed")
    if folder == "node_server" and shutil.which("node") is None and not os.environ.get("CI"):
        pytest.skip("node is not installed")
    status, printed = run(folder)
    assert status == 0, printed
    assert re.search(r"[1-9]\d* passed", printed)


@pytest.mark.slow
def test_the_bug_is_found_and_shrunk_to_two_events() -> None:
    status, printed = run("properties", CONSUMER="ScoresByMail")
    assert status == 1
    assert "2 events" in printed, printed
    assert "batch of 2 (lost-ack)" in printed


def test_the_readme_shows_them() -> None:
    for path in EXAMPLES.iterdir():
        assert f"tests/examples/{path.name}" in README
    for name in ("flask_app/test_flask_hook.py", "properties/test_score_hook.py", "unittest_app/test_mail_hook.py"):
        shown = (EXAMPLES / name).read_text().partition("\n\n\n")[2]
        assert re.split("\n\n\n(?:def test_wrong_credentials|class |if )", shown)[0].strip() in README
