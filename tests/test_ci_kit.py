"""What others run us with: action, image, compose and GitLab examples are linted, and action and job run."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import junitparser
import pytest
import yaml

from commands import written
from image import copy_context
from mockcampaign import __version__
from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread
from places import ROOT, documentation

SCRIPTS = Path(sys.executable).parent

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these are shell scripts and images of Linux")

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
GITLAB = yaml.safe_load((ROOT / ".ci/gitlab.yml").read_text())


def program(name: str) -> str:
    """A tool of the development dependencies. In CI it has to be there."""
    found = shutil.which(name, path=f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        no_such = name == "hadolint" and platform.machine() not in ("x86_64", "AMD64")
        assert no_such or not os.environ.get("CI"), f"no {name}"
        pytest.skip(f"no {name}")
    return found


@pytest.mark.parametrize(
    "command",
    [
        "check-jsonschema --builtin-schema vendor.github-actions action.yml",
        "check-jsonschema --builtin-schema vendor.compose-spec compose.yaml",
        "check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci .ci/gitlab.yml",
        "zizmor --offline --quiet --no-progress action.yml",
        "hadolint Dockerfile",
    ],
)
def test_linters_find_nothing(command: str) -> None:
    name, *arguments = shlex.split(command)
    done = subprocess.run([program(name), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def bash(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """As GitHub runs a step."""
    path = f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


# GitHub


def action_step(name: str, folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run a step of the action as GitHub does, with these inputs and the defaults of the others."""
    [step] = [step for step in ACTION["runs"]["steps"] if step["name"] == name]
    values = {**{key: str(given["default"]) for key, given in ACTION["inputs"].items()}, **inputs}

    def value(expression: str) -> str:
        found = re.fullmatch(r"\$\{\{ (?:inputs|github)\.([\w-]+) \}\}", expression)
        assert found is not None, expression
        return values[found[1]]

    assert "${{" not in step["run"], "an input must not be written into a script"
    temporary = folder / "temp"
    temporary.mkdir(exist_ok=True)
    github = {"RUNNER_TEMP": str(temporary), "GITHUB_OUTPUT": str(folder / "output"), "GITHUB_ACTIONS": "true"}
    github |= {"GITHUB_WORKSPACE": str(folder), "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    return bash(step["run"], folder, **{name: value(text) for name, text in step["env"].items()}, **github)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder in which the action has installed us."""
    (tmp_path / "temp/mockcampaign/bin").mkdir(parents=True)
    (tmp_path / "temp/mockcampaign/bin/mockcampaign").symlink_to(SCRIPTS / "mockcampaign")
    return tmp_path


def test_the_action_runs_scenarios_and_leaves_reports(installed: Path) -> None:
    (installed / "checks").mkdir()
    written(installed / "checks")
    with serve_in_thread(consumer_app("stores-first-event-only")) as url:
        inputs = {"scenarios": "checks", "consumer-url": url, "arguments": "--seed 5 --strict", "sarif": "our x.sarif"}
        done = action_step("Run the scenarios", installed, **inputs)
    assert done.returncode == 1, done.stderr
    assert "::error file=checks/three.scenario.yaml,line=14" in done.stdout
    assert "❌" in (installed / "summary").read_text()
    outputs = dict(line.split("=", 1) for line in (installed / "output").read_text().splitlines())
    assert set(outputs) == set(ACTION["outputs"])
    [suite] = junitparser.JUnitXml.fromfile(outputs["junit"])
    assert suite.failures == 1
    assert json.loads(Path(outputs["json"]).read_text())["seed"] == 5
    assert "Not compliant" in Path(outputs["html"]).read_text()
    [scan] = json.loads((installed / "our x.sarif").read_text())["runs"]
    [location] = scan["results"][0]["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "checks/three.scenario.yaml"


def test_an_input_of_the_action_is_no_command(installed: Path) -> None:
    done = action_step("Run the scenarios", installed, scenarios="$(touch pwned) `touch pwned` ; touch pwned")
    assert done.returncode == 2
    assert not (installed / "pwned").exists()


@pytest.mark.slow
def test_the_action_installs_from_what_the_image_is_built_of(tmp_path: Path) -> None:
    """The step of the action, from the files that the image gets. `test_image` runs more from such an installation."""
    source = tmp_path / "source"
    copy_context(source)
    packages = "pymysql psycopg[binary]"
    inputs = {"python": sys.executable, "action_path": str(source), "packages": packages}
    done = action_step("Install mockcampaign", tmp_path, **inputs)
    assert done.returncode == 0, done.stderr
    drivers = "import mockcampaign, sqlalchemy, pymysql, psycopg"
    subprocess.run([tmp_path / "temp/mockcampaign/bin/python", "-c", drivers], check=True)
    script = tmp_path / "temp/mockcampaign/bin/mockcampaign"
    shown = subprocess.run([script, "--version"], capture_output=True, text=True, check=True).stdout
    assert shown == f"mockcampaign, version {__version__}\n"


# GitLab


def test_the_script_for_gitlab_runs(tmp_path: Path) -> None:
    job = GITLAB["mockcampaign"]
    written(tmp_path)
    with serve_in_thread(consumer_app(basic_authentication=BasicAuthentication("acme", "geheim!"))) as url:
        variables = {**job["variables"], "SCENARIOS": ".", "CONSUMER_URL": url, "START": "touch started"}
        done = bash("\n".join(job["script"]), tmp_path, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "started").exists()
    for path in (*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]):
        assert (tmp_path / path).stat().st_size > 100


# The page about them


def test_the_jobs_on_the_page_have_inputs_that_exist_and_are_pinned() -> None:
    page = (ROOT / "docs/how-to/run-in-ci.md").read_text()
    *workflows, job, other = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    assert len(workflows) == 2
    for workflow in workflows:
        used = {step["uses"]: step for step in workflow["jobs"]["webhooks"]["steps"] if "uses" in step}
        assert [name for name in used if not re.fullmatch(r"[\w-]+(/[\w-]+){1,2}@[0-9a-f]{40}", name)] == []
        [ours] = [step for name, step in used.items() if name.startswith("OWNER/")]
        assert set(ours["with"]) <= set(ACTION["inputs"])
    for name, given in ACTION["inputs"].items():
        default = f"`{given['default']}`" if given["default"] else "none"
        assert f"| `{name}` | {default} | {given['description']} |\n" in page
    assert len(re.findall(r"^\| `[\w-]+` \|", page, re.MULTILINE)) == len(ACTION["inputs"])
    [included] = job["include"]
    assert re.search(r"/[0-9a-f]{40}/\.ci/gitlab\.yml$", included["remote"])
    for one in (job, other):
        assert set(one["mockcampaign"]["variables"]) <= set(GITLAB["mockcampaign"]["variables"])
    started = re.findall(r" & (mockcampaign .*)", page)
    assert started
    assert [command for command in started if "--wait-for-consumer" not in command] == []


def test_every_example_installs_what_a_scenario_with_a_query_needs() -> None:
    page = (ROOT / "docs/how-to/run-in-ci.md").read_text()
    installed = re.findall(r"mockcampaign(?:\[([\w,]+)\])? @ https", page)
    [of_action] = [step for step in ACTION["runs"]["steps"] if step["name"] == "Install mockcampaign"]
    installed += re.findall(r"\$SOURCE(?:\[([\w,]+)\])?", of_action["run"])
    installed += re.findall(r"^mockcampaign(?:\[([\w,]+)\])?$", GITLAB["mockcampaign"]["variables"]["MOCKCAMPAIGN"])
    assert len(installed) == 6
    assert [extras for extras in installed if not {"all", "sql"} & set(extras.split(","))] == []


# Shells


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("mockcampaign ru", ["run", "rules"]),
        ("mockcampaign run --jun", ["--junit"]),
        ("mockcampaign schema repo", ["report"]),
    ],
)
def test_shells_complete_commands_options_and_names(words: str, wanted: list[str]) -> None:
    count = len(words.split()) - 1
    environment = {"_MOCKCAMPAIGN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(count)}
    done = subprocess.run(
        [SCRIPTS / "mockcampaign"], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(line.partition(",")[2] for line in done.stdout.splitlines()) == sorted(wanted)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_line_of_the_readme_gives_a_script_for_each_shell(shell: str) -> None:
    done = subprocess.run(
        [SCRIPTS / "mockcampaign"],
        env={**os.environ, "_MOCKCAMPAIGN_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "_MOCKCAMPAIGN_COMPLETE" in done.stdout
    assert f"_MOCKCAMPAIGN_COMPLETE={shell}_source" in documentation()
