"""Teams that write no Python get a verdict in their own tests: each page, and what its language's test runner says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from endpoints import unused_port
from places import ROOT, TESTS

EXAMPLES = TESTS / "examples"
LONGEST_TEST = 15
"""Lines of a test, without blank ones."""


@dataclass(frozen=True)
class Language:
    """A folder with a correct consumer, its test, and in `broken` what makes a broken consumer of it."""

    page: str
    """Name of the page in `docs/how-to`."""
    test: str
    """File of the test, of which the page has the whole text."""
    command: tuple[str, ...]
    """Runs the test in the folder, as the page says."""
    rule: str
    """Id of the rule that the broken consumer violates."""
    title: str
    """What the failure says of it."""
    tools: tuple[str, ...]
    """Programs that are needed."""
    node_modules: bool = False
    """Whether packages of Node are needed, which are those of the correct consumers."""
    environment: tuple[tuple[str, str], ...] = ()

    def missing(self) -> str | None:
        """Return what is needed and not there."""
        lacking = next((tool for tool in self.tools if shutil.which(tool) is None), None)
        if lacking is None and self.node_modules and not NODE_MODULES.exists():
            return "npm install --prefix tests/consumers --no-package-lock"
        return lacking


NODE_MODULES = TESTS / "consumers" / "node_modules"

LANGUAGES: dict[str, Language] = {
    "php": Language(
        page="test-from-php.md",
        test="HookTest.php",
        command=("phpunit", "HookTest.php"),
        rule="stores-repeat-engagement",
        title="Stores a second open or click of the same mail",
        tools=("php", "phpunit"),
    ),
    "node_express": Language(
        page="test-from-node.md",
        test="hook.test.mjs",
        command=("node", "--test"),
        rule="stores-large-ids",
        title="Stores ids exactly, from 0 to beyond 2^53",
        tools=("node",),
        node_modules=True,
        environment=(("NODE_ENV", "test"),),
    ),
    "node_fastify": Language(
        page="test-from-node.md",
        test="hook.test.mjs",
        command=("node", "--test"),
        rule="once-in-regrouped-batch",
        title="Stores redelivered events once when they arrive in another batch",
        tools=("node",),
        node_modules=True,
    ),
}
"""Each folder below `tests/examples`."""

RULES = ("acknowledgement", "batch", "redelivery", *sorted({language.rule for language in LANGUAGES.values()}))
"""By which correct consumers are checked here. Others are checked by all rules elsewhere."""


@pytest.mark.slow
@pytest.mark.parametrize("broken", [False, True], ids=["correct", "broken"])
@pytest.mark.parametrize("name", LANGUAGES)
def test_its_test_fails_for_the_broken_consumer_alone(name: str, broken: bool, tmp_path: Path) -> None:
    language = LANGUAGES[name]
    lacking = language.missing()
    if lacking is not None:
        assert not os.environ.get("CI"), lacking
        pytest.skip(f"missing: {lacking}")
    folder = copy(name, tmp_path / name, broken=broken)
    command_in(tmp_path / "bin", "--examples", "3", "--rules", language.rule if broken else ",".join(RULES))
    done = subprocess.run(
        language.command,
        cwd=folder,
        env={
            **os.environ,
            **dict(language.environment),
            "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert (done.returncode != 0) is broken, said
    assert (language.title in said) is broken, said
    if broken:
        shown = re.findall(r"(?s)```text\n(.*?)```", failure_of(name))[0].splitlines()
        assert [line for line in shown if without_values(line) not in without_values(said)] == [], said


def copy(name: str, folder: Path, *, broken: bool) -> Path:
    """Return a copy of the example that listens at an unused port."""
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("broken", "node_modules"))
    if broken:
        shutil.copytree(EXAMPLES / name / "broken", folder, dirs_exist_ok=True)
    port = str(unused_port())
    for path in filter(Path.is_file, folder.rglob("*")):
        path.write_text(path.read_text().replace("8000", port))
    if LANGUAGES[name].node_modules:
        (folder / "node_modules").symlink_to(NODE_MODULES)
    return folder


def command_in(folder: Path, *arguments: str) -> None:
    """Write a command `mockcampaign` whose checks have these arguments in addition."""
    folder.mkdir()
    command = folder / "mockcampaign"
    more = f'[ "$1" = check ] && set -- "$@" {shlex.join(arguments)}'
    command.write_text(f'#!/bin/sh\n{more}\nexec {sys.executable} -m mockcampaign "$@"\n')
    command.chmod(0o755)


def page_of(name: str) -> str:
    return (ROOT / "docs" / "how-to" / LANGUAGES[name].page).read_text()


def failure_of(name: str) -> str:
    """Return what the page says after the test."""
    return page_of(name).partition((EXAMPLES / name / LANGUAGES[name].test).read_text())[2]


def without_values(text: str) -> str:
    """Return text without what differs between two runs, its indentation, and what comes after an ellipsis."""
    lines = (line.strip().removesuffix(" …") for line in text.splitlines())
    return re.sub(r"\w*\d[\w.:-]*", "#", "\n".join(lines))


@pytest.mark.parametrize("name", LANGUAGES)
def test_its_page_has_the_whole_test_which_is_short(name: str) -> None:
    text = (EXAMPLES / name / LANGUAGES[name].test).read_text()
    assert f"```\n{text}```" in re.sub(r"```\w+", "```", page_of(name))
    assert len([line for line in text.splitlines() if line.strip()]) <= LONGEST_TEST
    assert f"tests/examples/{name}" in page_of(name)
    assert LANGUAGES[name].title in failure_of(name)


def test_every_example_without_pytest_is_in_the_table() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir() and not any(path.glob("*.py"))}
    assert folders == LANGUAGES.keys()
