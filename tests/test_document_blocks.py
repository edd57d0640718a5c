"""Every block of code on the pages for users is executed, here or in a test that is named, or it says why not."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from document_blocks import NODE_MODULES, Block, Frame, blocks_of, execute, indented_blocks_of
from mockcampaign.scenario.load import load
from places import DOCUMENTATION, FIXTURES, ROOT
from test_languages import LANGUAGES
from test_languages import blocks_of as executed_blocks_of

# tests/test_rule_pages.py executes the pages of rules, and tests/scenario the examples in scenarios/README.md.
PAGES = [page for page in DOCUMENTATION if not page.startswith("docs/rules/")]
BLOCKS = [block for page in PAGES for block in blocks_of(page)]

README, EXAMPLES, CI = "test_readme.py", "test_examples.py", "test_ci_kit.py"
LED = "clocks/test_led_languages.py"
LANGUAGE, RUN = "test_languages.py", "test_its_test_fails_for_the_broken_consumer_alone"

ELSEWHERE = {
    "README.md": {
        "mockcampaign check": (README, "test_the_check_of_the_readme_prints_these_lines"),
        "  FAIL stores-repeat": (README, "test_the_check_of_the_readme_prints_these_lines"),
        "def test_a_lost_response": (README, "test_the_first_test_of_the_readme_passes"),
    },
    "docs/how-to/get-verdicts-over-http.md": {
        "control=http://127.0.0.1:8080/__mockcampaign\n": (README, "test_the_test_in_a_shell_tells_right_from_broken"),
        "mockcampaign serve --virtual": (README, "test_the_test_in_a_shell_tells_right_from_broken"),
    },
    "docs/how-to/install.md": {"eval": (CI, "test_the_line_of_the_readme_gives_a_script_for_each_shell")},
    "docs/how-to/lead-a-consumers-clock.md": {
        "mockcampaign clock run": (LED, "test_the_commands_of_the_page_find_a_key_that_expires"),
        "go build": (LED, "test_bugs_with_time_are_found_in_a_process_of_its_own"),
    },
    "docs/how-to/run-in-ci.md": {
        "on:": (CI, "test_the_jobs_on_the_page_have_inputs_that_exist_and_are_pinned"),
        "include:": (CI, "test_the_jobs_on_the_page_have_inputs_that_exist_and_are_pinned"),
    },
    "docs/how-to/run-the-fake-server.md": {
        "api=": (README, "test_the_calls_of_the_readme_do_what_they_say"),
        "rest=": (README, "test_the_whole_way_of_the_readme_leads_to_a_click"),
        "def test": (README, "test_the_mail_of_the_readme_has_its_events"),
        "clients:": (README, "test_the_clients_of_the_readme_are_read"),
    },
    "docs/how-to/test-with-pytest.md": {
        "@pytest.fixture": (EXAMPLES, "test_the_readme_shows_them"),
        "@settings": (EXAMPLES, "test_the_readme_shows_them"),
        "def test": (README, "test_the_test_of_calls_in_the_readme_passes"),
    },
    "docs/how-to/test-with-unittest.md": {"class ": (EXAMPLES, "test_the_readme_shows_them")},
    "docs/reference/events.md": {
        "from hypothesis": (README, "test_the_property_test_of_the_readme_fails_as_it_says"),
    },
    "docs/reference/scenarios.md": {
        "outage.scenario": (README, "test_the_mistake_of_the_readme_is_refused_like_this"),
    },
    "docs/tutorials/first-scenario.md": {
        "name:": (README, "test_the_scenario_of_the_readme_tells_right_from_broken"),
        "consumer:": (README, "test_the_scenario_of_the_readme_tells_right_from_broken"),
    },
}
"""Pages, beginnings of blocks, and the test that executes each and looks closer at what comes of it."""

for name, language in LANGUAGES.items():
    texts = [block.text for block in blocks_of(f"docs/how-to/{language.page}")]
    shown = {text: (LANGUAGE, RUN) for text in executed_blocks_of(name) if text in texts}
    ELSEWHERE.setdefault(f"docs/how-to/{language.page}", {}).update(shown)

HOOK = ROOT / "tests" / "examples" / "node_express" / "hook.mjs"
ELSEWHERE["docs/how-to/test-from-node.md"][HOOK.read_text(encoding="utf-8")] = (LANGUAGE, RUN)


def first(page: str, language: str) -> str:
    """Return the first block of a language on a page."""
    return next(block.text for block in blocks_of(page) if block.language == language)


RESTART = """#!/bin/sh
kill $(cat pid)
while kill -0 $(cat pid) 2> /dev/null; do sleep 0.1; done
mockcampaign consumer --store stored.sqlite {} > restarted.log 2>&1 &
echo $! > pid
"""
"""A script that ends the consumer and starts it again."""

FRAMES = {
    "docs/how-to/check-a-consumer.md": Frame(
        before="mockcampaign consumer --store stored.sqlite --basic-auth acme:secret &\necho $! > consumer.pid",
        replaced=(("./start-my-consumer", "mockcampaign consumer --store stored.sqlite --basic-auth acme:secret"),),
    ),
    "docs/how-to/read-a-report.md": Frame(before="mockcampaign consumer --bug dedup-key-mail-id &"),
    "docs/how-to/use-credentials.md": Frame(before="mockcampaign consumer --basic-auth acme:secret &"),
    "docs/how-to/use-your-own-events.md": Frame(
        files=(("captured.json", first("docs/how-to/use-your-own-events.md", "json")),)
    ),
    "docs/how-to/write-a-probe.md": Frame(before=f"python {ROOT}/tests/helpers/renaming.py 8000 &"),
    "docs/how-to/drill-a-deployment.md": Frame(
        before="mockcampaign consumer --store stored.sqlite &\necho $! > pid",
        files=(
            ("rolling-restart.sh", RESTART.format("")),
            ("change-password.sh", RESTART.format('--basic-auth "$MOCKCAMPAIGN_CREDENTIALS"')),
            ("old", "acme:old"),
            ("new", "acme:new"),
        ),
        replaced=(
            (
                "mockcampaign drill deploy http://127.0.0.1:8000/hook --basic-auth-file",
                "MOCKCAMPAIGN_CREDENTIALS=acme:old ./change-password.sh\nawait 8000\n"
                "mockcampaign drill deploy http://127.0.0.1:8000/hook --basic-auth-file",
            ),
        ),
    ),
    "docs/how-to/drill-a-set-up.md": Frame(
        files=(("register-webhooks.sh", f"#!/bin/sh\nexec python {ROOT}/tests/helpers/set_ups.py compares\n"),)
    ),
    "docs/how-to/get-verdicts-over-http.md": Frame(
        before="mockcampaign consumer --bug dedup-key-mail-id &\nmockcampaign serve --quiet &"
    ),
    "docs/how-to/put-it-under-load.md": Frame(
        before="mockcampaign consumer &",
        replaced=(
            ("--events-per-second 2000 --for 2m", "--events-per-second 200 --for 2s"),
            ("30s..45s --html load.html", "500ms..1s --html load.html || [ $? = 3 ]"),  # this machine may be too busy
        ),
    ),
    "docs/how-to/report-and-run-in-ci.md": Frame(
        before="mockcampaign consumer --bug responds-204 &\n"
        "mockcampaign check http://127.0.0.1:8000/hook --journal run.journal > check.log || [ $? = 1 ]",
        replaced=(
            ("report.json\n", "report.json || [ $? = 1 ]\n"),
            ("judge FILE ", "judge run.journal || [ $? = 1 ] "),
            ("replay FILE", "replay run.journal"),
            ("hook #", "hook || [ $? = 1 ] #"),
        ),
    ),
    "docs/how-to/run-in-ci.md": Frame(
        before=f"mkdir checks\ncp {ROOT}/scenarios/odd-remainder.scenario.yaml checks\n"
        "mockcampaign consumer --basic-auth acme:secret &",
    ),
    "docs/how-to/run-the-fake-server.md": Frame(
        replaced=(
            ("mockcampaign serve\n", "mockcampaign serve &\n"),
            ("mockcampaign serve --port 443", "kill %1; wait %1 || true\nmockcampaign serve --port 8080"),
            ("episerver.net\n", "episerver.net &\n"),
        ),
    ),
    "docs/reference/events.md": Frame(
        files=(("captured.json", (FIXTURES / "events" / "click.json").read_text(encoding="utf-8")),)
    ),
    "docs/tutorials/first-scenario.md": Frame(
        files=(("outage.scenario.yaml", first("docs/tutorials/first-scenario.md", "yaml")),)
    ),
}
"""What the reader of a page has before its first command."""

NEEDS = {"docs/tutorials/first-check.md": ("node", "php", f"{NODE_MODULES}/express", f"{NODE_MODULES}/lossless-json")}
"""Programs and packages that pages need besides mockcampaign."""

SHELL = ("sh", "console")


def elsewhere(block: Block) -> str:
    """Return the test that executes the block; empty if none does."""
    tests = ELSEWHERE.get(block.page, {}).items()
    return next(("::".join(test) for start, test in tests if block.text.startswith(start)), "")


def here(page: str) -> list[Block]:
    """Return the commands and files of a page that are executed here."""
    return [
        block
        for block in blocks_of(page)
        if (block.language in SHELL or block.file) and not block.not_executed and not elsewhere(block)
    ]


EXECUTED = [page for page in PAGES if any(block.language in SHELL for block in here(page))]


def test_every_block_has_a_language() -> None:
    assert [str(block) for block in BLOCKS if not block.language] == []
    assert [line for page in PAGES for line in indented_blocks_of(page)] == []


def test_every_test_that_is_named_exists() -> None:
    for page, tests in ELSEWHERE.items():
        for start, (file, name) in tests.items():
            assert re.search(rf"(?:def|class) {name}\b", (ROOT / "tests" / file).read_text(encoding="utf-8")), name
            assert any(block.page == page and block.text.startswith(start) for block in BLOCKS), (page, start)


def test_blocks_that_are_not_executed_say_why(record_property: pytest.RecordProperty) -> None:
    reasons = {str(block): block.not_executed for block in BLOCKS if block.not_executed}
    for block, reason in reasons.items():
        record_property(block, reason)
    assert [block for block, reason in reasons.items() if not 3 <= len(reason.split()) < 20 or "-->" in reason] == []


def test_everything_else_is_executed() -> None:
    """A block is executed by its shell, checked by its language, or named in `ELSEWHERE`."""
    known = {*SHELL, "python", "yaml", "json"}
    for before, block in itertools.pairwise([None, *BLOCKS]):
        assert block is not None
        is_output = block.language == "text" and before is not None and before.page == block.page
        follows = is_output and before is not None and before.language in SHELL and not before.not_executed
        assert block.language in known or block.file or follows or block.not_executed or elsewhere(block), str(block)
        if block.language == "python" and not block.file and not block.not_executed:
            assert elsewhere(block) or block.page in ALONE, str(block)


ALONE = {"docs/how-to/put-it-under-load.md"}
"""Pages whose Python is executed as it is."""


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in ("python", "json", "yaml")], ids=str)
def test_text_is_of_its_language(block: Block, tmp_path: Path) -> None:
    match block.language:
        case "python":
            compile(block.text, str(block), "exec")
        case "json":
            json.loads(block.text)
        case _:
            content = yaml.safe_load(block.text)
            assert content is not None
            if "steps" in content and "webhooks" in content:
                (tmp_path / "it.scenario.yaml").write_text(block.text, encoding="utf-8")
                load(tmp_path / "it.scenario.yaml")


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(ALONE))
def test_python_that_needs_nothing_runs(page: str, tmp_path: Path) -> None:
    for block in blocks_of(page):
        if block.language == "python":
            subprocess.run(
                [sys.executable, "-c", block.text],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                check=True,
            )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None or shutil.which("curl") is None, reason="no bash or no curl here")
@pytest.mark.parametrize("page", EXECUTED)
def test_commands_of_a_page_do_what_it_says(page: str, tmp_path: Path) -> None:
    missing = [tool for tool in NEEDS.get(page, ()) if shutil.which(tool) is None and not Path(tool).exists()]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"not here: {', '.join(missing)}")
    blocks = here(page)
    shown = {}
    for before, block in itertools.pairwise(blocks_of(page)):
        if block.language == "text" and before in blocks:
            shown[before] = block.text
    commands = [block for block in blocks if not block.file]
    for block, done in zip(commands, execute(blocks, FRAMES.get(page, Frame()), tmp_path), strict=True):
        output = shown.get(block, "")
        expected = r"(line \d+: status 1\n)?" if "NOT COMPLIANT" in output else ""
        assert re.fullmatch(expected, done.failed), f"{block}: {done.failed}\n{done.printed}"
        lines = iter(done.printed.splitlines())
        wanted = [line for line in output.splitlines() if line.strip("… ")]
        assert [line for line in wanted if not any(_is_shown(line, printed) for printed in lines)] == [], done.printed


def _is_shown(line: str, printed: str) -> bool:
    """Return whether a page shows what was printed; a line that ends in an ellipsis is the beginning of one."""
    return printed.startswith(line[:-1]) if line.endswith("…") else printed == line
