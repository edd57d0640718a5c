"""What the bare package gives, without the packages of its extras."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import distribution, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mockcampaign.extras import ALL, EXTRAS
from places import ROOT

WITHOUT = f"import sys; sys.modules.update(dict.fromkeys({[*EXTRAS, 'anyio', 'uvloop']!r}));"
"""Lets each import of these packages fail, as if they were not installed."""

SCENARIO = """
name: three opens
consumer: {url: http://127.0.0.1:9/hook}
webhooks: {opens: {type: open}}
steps:
  - activate: opens
  - emit: {type: open, count: 3}
  - run: until-idle
"""

TESTS = """
import json
import pytest

kept, known = [], []

async def accepting(scope, receive, send):
    if scope["type"] == "http":
        message = await receive()
        while message.get("more_body"):
            message = await receive()
        for event in json.loads(message.get("body") or "[]"):
            kept.append(event)
            if event not in known:
                known.append(event)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

@pytest.mark.mockcampaign(allow=["stores-large-ids"])
def test_campaign(campaign):
    opens = campaign.webhook("open", target=accepting, path="/hook")
    campaign.emit(opens, count=250)
    campaign.run()
    assert len(campaign.deliveries) == 3

def test_check(campaign_check):
    campaign_check(accepting, path="/hook")

def test_server(campaign_server):
    pass

def test_histories(campaign_histories):
    campaign_histories(accepting, "/hook", probe=lambda: known, count=5)

def test_failing_histories(campaign_histories):
    campaign_histories(accepting, "/hook", probe=lambda: kept, count=50)
"""


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", WITHOUT + code], cwd=folder, capture_output=True, text=True)


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = f"sys.argv = {['mockcampaign', *arguments]!r}; from mockcampaign.cli import main; main()"
    return python(code, folder)


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def extras() -> dict[str, list[str]]:
    named: dict[str, list[str]] = project()["optional-dependencies"]
    return named


def test_each_extra_brings_the_packages_that_are_said_to_come_with_it() -> None:
    for package, extra in EXTRAS.items():
        assert any(line.startswith(package) for line in extras()[extra]), (package, extra)
    [everything] = extras()[ALL]
    assert everything == f"mockcampaign[{','.join(sorted(set(EXTRAS.values())))}]"


@pytest.mark.parametrize(
    ("arguments", "package", "extra"),
    [
        ("check http://127.0.0.1:9/hook", "hypothesis", "check"),
        ("check http://127.0.0.1:9/hook --rules payload", "hypothesis", "check"),
        ("demo", "starlette", "server"),
        ("serve", "uvicorn", "server"),
        ("consumer", "starlette", "server"),
        ("run one.scenario.yaml --watch", "watchfiles", "watch"),
    ],
)
def test_a_command_without_its_packages_names_the_extra_in_one_line(
    arguments: str, package: str, extra: str, tmp_path: Path
) -> None:
    (tmp_path / "one.scenario.yaml").write_text(SCENARIO, encoding="utf-8")
    called = command(tmp_path, *arguments.split())
    assert (called.returncode, called.stdout) == (2, "")
    assert called.stderr == (
        f"mockcampaign: this needs the package {package}, which is not installed: "
        f"pip install 'mockcampaign[{extra}]', or pip install 'mockcampaign[{ALL}]' for everything\n"
    )


@pytest.mark.parametrize("arguments", ["rules", "generate --count 2", "schema scenario", "run . --dry-run"])
def test_other_commands_need_no_extra(arguments: str, tmp_path: Path) -> None:
    (tmp_path / "one.scenario.yaml").write_text(SCENARIO, encoding="utf-8")
    called = command(tmp_path, *arguments.split())
    assert (called.returncode, called.stderr) == (0, "")


@pytest.mark.parametrize("command_line", ["soak", "check --rules survives-random-histories --history 3"])
def test_histories_need_no_extra(command_line: str, tmp_path: Path) -> None:
    called = command(tmp_path, *command_line.split(), "http://127.0.0.1:9/hook", "--probe", "http://127.0.0.1:9/")
    assert (called.returncode, called.stderr) == (3, "mockcampaign: probe http://127.0.0.1:9/: connection refused\n")


def test_most_fixtures_need_no_extra_and_the_others_name_theirs(tmp_path: Path) -> None:
    (tmp_path / "test_them.py").write_text(TESTS, encoding="utf-8")
    plugins = "['-q', '-p', 'no:cacheprovider', '-p', 'mockcampaign.pytest_plugin']"
    # Plugins of other packages here would import what is missing there.
    code = f"import os; os.environ['PYTEST_DISABLE_PLUGIN_AUTOLOAD'] = '1'; import pytest; pytest.main({plugins})"
    shown = python(code, tmp_path).stdout
    assert "2 failed, 2 passed, 2 errors" in shown, shown
    assert "After the history (lost-ack, 1 event), 1 duplicate is in the store" in shown
    for package, extra in (("hypothesis", "check"), ("starlette", "server")):
        line = f"this needs the package {package}, which is not installed: pip install 'mockcampaign[{extra}]'"
        assert shown.count(f"\n{line}") == 1, shown


def test_a_foreign_module_that_is_missing_is_no_missing_extra(tmp_path: Path) -> None:
    code = "from mockcampaign.extras import naming_extras\nwith naming_extras(): import no_such_module"
    assert "ModuleNotFoundError: No module named 'no_such_module'" in python(f"\n{code}", tmp_path).stderr


PACKAGES_MAX, MEGABYTES_MAX = 12, 32
"""Half of what an installation without extras once brought, beside pytest."""


def brought(*requirements: str) -> frozenset[str]:
    """Return the names of packages and of all that they need without extras."""
    found, left = set[str](), [Requirement(line) for line in requirements]
    while left:
        one = left.pop()
        name = canonicalize_name(one.name)
        if name not in found and (one.marker is None or one.marker.evaluate({"extra": ""})):
            found.add(name)
            left += map(Requirement, requires(name) or ())
    return frozenset(found)


def test_an_installation_without_extras_brings_half_of_the_packages_and_of_their_size() -> None:
    names = brought(*project()["dependencies"]) - brought("pytest")
    assert len(names) + 1 <= PACKAGES_MAX, sorted(names)
    files = [Path(str(file.locate())) for name in names for file in distribution(name).files or ()]
    files += [file for file in (ROOT / "mockcampaign").rglob("*") if "__pycache__" not in file.parts]
    size = sum(file.stat().st_size for file in files if file.is_file())
    assert size <= MEGABYTES_MAX * 1e6, size
