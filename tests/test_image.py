"""The image: what it is built of, and its commands and those of the compose file, run without Docker."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from commands import written
from image import BUILD_STAGE, FINAL_STAGE, build, listed, packages, pairs
from mockcampaign.cli.commands.serve import serve
from mockcampaign.extras import EXTRAS
from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.server.http.access import HEALTH_PATH
from mockcampaign.serving import serve_in_thread
from places import ROOT

SCRIPT = str(Path(sys.executable).parent / "mockcampaign")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
ENVIRONMENT = {name: value for name, value in pairs("ENV", FINAL_STAGE).items() if name != "PATH"}
LATER_EXTRAS = {"sqlalchemy", "watchfiles", "hdrh"}
"""Packages of extras that none of `serve`, `check` and `run` needs, unless an option asks for it."""
USER = 10001
MEGABYTES_MAX = 100

WATCH = """
import os
import sys

def watch(event, arguments):
    path = arguments[0] if arguments else None
    is_written = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if (is_written or event in ("os.mkdir", "os.rename", "os.remove")) and not str(path).startswith(os.devnull):
        os.write(2, f"written: {path}\\n".encode())

sys.addaudithook(watch)
"""
"""Names whatever a process writes, or tries to, on its standard error stream: a failure may be ignored silently.

What Hypothesis would write is sent to below `/dev/null` on purpose.
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these are scripts and images of Linux")


@contextmanager
def running(arguments: list[str], script: list[str], **options: Any) -> Iterator[str]:
    """One of our long-running commands on a free port; gives its URL."""
    process = subprocess.Popen(
        [*script, *arguments, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline() + process.stdout.readline()
        [port, *_] = re.findall(r"http://[\d.]+:(\d+)", first) or [first]
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    calls = [line for line in err.splitlines() if re.fullmatch(r"\S+Z \d+ [A-Z]+ /\S+ \d{3} \w+", line)]
    assert (process.returncode, err.splitlines()) == (0, calls)


def health(command: list[str], url: str, was: str) -> int:
    """The exit status of a health check that is meant for another port."""
    assert command[0] == "python"
    script = command[2].replace(was, url)
    assert script != command[2]
    return subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL, check=False).returncode


def test_the_image_serves_and_its_health_check_tells() -> None:
    assert listed("ENTRYPOINT") == ["mockcampaign"]
    assert f"\nUSER {USER}\n" in FINAL_STAGE
    assert "COPY --from=build /mockcampaign " in FINAL_STAGE
    check = listed("HEALTHCHECK")
    with running(listed("CMD"), [SCRIPT], env={**os.environ, **ENVIRONMENT}) as url:
        assert health(check, url, "http://127.0.0.1:8080") == 0
    assert health(check, url, "http://127.0.0.1:8080") != 0


def test_the_image_has_the_extras_that_its_commands_need() -> None:
    needed = {extra for package, extra in EXTRAS.items() if package not in LATER_EXTRAS}
    assert set(pairs("ARG", BUILD_STAGE)["EXTRAS"].split(",")) == needed


def test_the_recipes_for_testcontainers_name_what_the_server_has() -> None:
    page = (ROOT / "docs/how-to/use-testcontainers.md").read_text()
    recipes = re.findall(r"```(?:java|csharp|js)\n(.*?)```", page, re.DOTALL)
    assert len(recipes) == 3
    options = {name for parameter in serve.params for name in parameter.opts}
    for recipe in recipes:
        command, *_ = re.findall(r"""ithCommand\(\[?("serve".*?)\]?\)""", recipe)
        assert set(re.findall(r'"(--[\w-]+)"', command)) <= options
        assert f"/__mockcampaign{HEALTH_PATH}" in recipe
        assert set(re.findall(r"\b\d{4,}\b", recipe)) == {"8000", *re.findall(r"EXPOSE (\d+)", FINAL_STAGE)}


def as_another_user(python: Path) -> list[str]:
    """Return what begins a command so that it runs as a user who can write only where everybody can."""
    if os.geteuid() != 0:
        return []
    prefix = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    if any(not folder.stat().st_mode & 1 for folder in python.resolve().parents):
        # Only root may read this Python. The user may read everything then, and still writes nothing.
        prefix += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return prefix


@pytest.mark.slow
def test_the_image_needs_no_root_and_writes_only_what_it_is_told_to(tmp_path: Path) -> None:
    """With home and working folder read-only, nothing else is even tried to be written: no cache, no folder."""
    tree = build(tmp_path)
    installed = list(packages(tree))
    assert sum(package.size for package in installed) < MEGABYTES_MAX * 1e6, installed
    assert {package.name.lower() for package in installed} & {"pip", "setuptools", "pytest", *LATER_EXTRAS} == set()

    home, reports, hooks = tmp_path / "home", tmp_path / "reports", tmp_path / "hooks"
    for folder in (home, reports, hooks):
        folder.mkdir()
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)  # the other user must get here
    (hooks / "sitecustomize.py").write_text(WATCH)
    written(home)
    home.chmod(0o555)
    reports.chmod(0o777)
    script = [*as_another_user(tree / "bin" / "python"), str(tree / "bin" / "mockcampaign")]
    options = {
        "cwd": home,
        "env": {**ENVIRONMENT, "PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(hooks)},
    }
    with running([*listed("CMD"), "--allow-target", "consumer"], script, **options) as url:
        assert requests.get(f"{url}/__mockcampaign/health", timeout=10).status_code == 200
        form = {"targetUrl": "http://consumer:8000/hook", "type": "open", "format": "json"}
        webhooks = f"{url}/rest/123456789001/webhooks"
        assert requests.post(webhooks, form, auth=("mockcampaign", "mockcampaign"), timeout=10).status_code == 201

    with serve_in_thread(consumer_app(basic_authentication=BasicAuthentication("acme", "geheim!"))) as url:
        options["env"] |= {"CONSUMER_URL": url}
        target = [f"{url}/hook", "--probe", f"{url}/processed", "--basic-auth", "acme:geheim!"]
        report = reports / "report.html"
        for arguments, files in (
            (["check", *target, "--rules", "acknowledgement,payload"], []),
            (["run", ".", "--html", str(report)], [report]),
        ):
            done = subprocess.run([*script, *arguments], **options, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            tried = [line.removeprefix("written: ") for line in done.stderr.splitlines()]
            assert [name for name in tried if Path(name).parent != reports] == []
            assert bool(tried) == bool(files)
            assert all(file.stat().st_size > 10_000 for file in files)


@pytest.mark.slow
def test_the_services_of_the_compose_file_work_together(tmp_path: Path) -> None:
    services = COMPOSE["services"]
    assert {service["read_only"] for service in services.values()} == {True}
    written(tmp_path)
    options = {"env": {**os.environ, **ENVIRONMENT}}
    with running(command_of(services["consumer"]), [SCRIPT], **options) as consumer:
        check = services["consumer"]["healthcheck"]["test"]
        assert check[0] == "CMD"
        assert health(check[1:], consumer, "http://127.0.0.1:8000") == 0
        with running(command_of(services["campaign"]), [SCRIPT], **options) as campaign:
            # By the name that it has in the compose file's network.
            named = requests.get(f"{campaign}/__mockcampaign/health", headers={"Host": "campaign:8080"}, timeout=10)
            assert named.status_code == 200
            form = {"targetUrl": "http://consumer:8000/hook", "type": "open", "format": "json"}
            created = requests.post(
                f"{campaign}/rest/123456789001/webhooks",
                data=form,
                auth=("mockcampaign", "mockcampaign"),
                timeout=10,
            )
            assert created.status_code == 201, created.text
        arguments = [argument.replace("/scenarios", str(tmp_path)) for argument in command_of(services["scenarios"])]
        environment = {**services["scenarios"]["environment"], "CONSUMER_URL": consumer}
        done = subprocess.run(
            [SCRIPT, *arguments], env={**options["env"], **environment}, capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")


def command_of(service: Mapping[str, Any]) -> list[str]:
    return shlex.split(service["command"])
