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

from databases import missing_program
from endpoints import unused_port
from places import ROOT, TESTS

EXAMPLES = TESTS / "examples"
LONGEST_TEST = 15
"""Lines of a test, without blank ones and those with brackets alone."""
JARS = "/usr/share/java/"


@dataclass(frozen=True)
class Language:
    """A folder with a correct consumer, its test, and in `broken` what makes a broken consumer of it."""

    page: str
    """Name of the page in `docs/how-to`."""
    test: str
    """File of the test, of which the page has the whole text."""
    command: str
    """Runs the test in the folder, as the page says; for a shell."""
    rule: str
    """Id of the rule that the broken consumer violates."""
    title: str
    """What the failure says of it."""
    tools: tuple[str, ...]
    """Programs and files that are needed."""
    node_modules: bool = False
    """Whether packages of Node are needed, which are those of the correct consumers."""
    environment: tuple[tuple[str, str], ...] = ()

    def missing(self) -> str | None:
        """Return what is needed and not there."""
        lacking = missing_program(*self.tools)
        if lacking is None and self.node_modules and not NODE_MODULES.exists():
            return "npm install --prefix tests/consumers --no-package-lock"
        return lacking


NODE_MODULES = TESTS / "consumers" / "node_modules"

LANGUAGES: dict[str, Language] = {
    "php": Language(
        page="test-from-php.md",
        test="HookTest.php",
        command="phpunit HookTest.php",
        rule="stores-repeat-engagement",
        title="Stores a second open or click of the same mail",
        tools=("php", "phpunit"),
    ),
    "node_express": Language(
        page="test-from-node.md",
        test="hook.test.mjs",
        command="node --test",
        rule="stores-large-ids",
        title="Stores ids exactly, from 0 to beyond 2^53",
        tools=("node",),
        node_modules=True,
        environment=(("NODE_ENV", "test"),),
    ),
    "node_fastify": Language(
        page="test-from-node.md",
        test="hook.test.mjs",
        command="node --test",
        rule="once-in-regrouped-batch",
        title="Stores redelivered events once when they arrive in another batch",
        tools=("node",),
        node_modules=True,
    ),
    "java": Language(
        page="test-from-java.md",
        test="HookTest.java",
        command="""\
export CLASSPATH=build:/usr/share/java/junit-platform-console-standalone.jar
for jar in core annotations databind; do CLASSPATH=$CLASSPATH:/usr/share/java/jackson-$jar.jar; done
javac -d build Hook.java HookTest.java
java org.junit.platform.console.ConsoleLauncher --select-class HookTest --details none
""",
        rule="stores-repeat-engagement",
        title="Stores a second open or click of the same mail",
        # Which compiles less, since it runs for seconds.
        environment=(("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"),),
        tools=("javac", JARS + "junit-platform-console-standalone.jar", JARS + "jackson-databind.jar"),
    ),
    "go": Language(
        page="test-from-go.md",
        test="hook_test.go",
        command="go test -count=1\n",
        rule="stores-large-ids",
        title="Stores ids exactly, from 0 to beyond 2^53",
        tools=("go",),
    ),
    "ruby": Language(
        page="test-from-ruby.md",
        test="hook_test.rb",
        command="ruby hook_test.rb\n",
        rule="responds-200",
        title="Responds 200, and no other status, to a batch it accepts",
        tools=("ruby", "puma", "rackup"),
    ),
    "csharp": Language(
        page="test-from-csharp.md",
        test="HookTest.cs",
        command="""\
mcs -target:library -out:HookTest.dll -pkg:nunit -pkg:newtonsoft-json Hook.cs HookTest.cs
nunit-console -nologo -noxml HookTest.dll
""",
        rule="stores-before-acknowledging",
        title="Stores events before it acknowledges them",
        tools=("mcs", "pkg-config", "nunit-console", "/usr/lib/pkgconfig/newtonsoft-json.pc"),
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
        ["bash", "-ec", language.command],
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
        shown = failure_of(name).splitlines()
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


def text_of(name: str) -> str:
    """Return the text of the test."""
    return (EXAMPLES / name / LANGUAGES[name].test).read_text()


def failure_of(name: str) -> str:
    """Return what the page says that the test of a broken consumer prints."""
    [after] = re.findall(r"(?s)```text\n(.*?)```", page_of(name).partition(text_of(name))[2])[:1]
    return str(after)


def blocks_of(name: str) -> tuple[str, ...]:
    """Return the blocks of the page that the tests here execute or compare."""
    return text_of(name), LANGUAGES[name].command, failure_of(name)


def without_values(text: str) -> str:
    """Return text without what differs between two runs, its indentation, and what comes after an ellipsis."""
    lines = (line.strip().removesuffix(" …") for line in text.splitlines())
    return re.sub(r"\w*\d[\w.:-]*", "#", "\n".join(lines))


@pytest.mark.parametrize("name", LANGUAGES)
def test_its_page_has_the_whole_test_which_is_short(name: str) -> None:
    text, page = text_of(name), page_of(name)
    assert f"```\n{text}```" in re.sub(r"```\w+", "```", page)
    assert len(re.findall(r"^.*\w.*$", text, re.MULTILINE)) <= LONGEST_TEST
    assert LANGUAGES[name].command in page
    assert f"tests/examples/{name}" in page
    assert LANGUAGES[name].title in failure_of(name)


def test_every_example_without_pytest_is_in_the_table() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir() and not any(path.glob("*.py"))}
    assert folders == LANGUAGES.keys()
