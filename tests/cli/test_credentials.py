"""Credentials come from files, variables or arguments, and go to the consumer alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from called_main import called_main
from commands import mockcampaign
from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread

RULE = ("--rules", "responds-200", "-q")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_in_thread(consumer_app(basic_authentication=BasicAuthentication("acme", "geheim!"))) as base:
        yield f"{base}/hook"


@pytest.mark.parametrize("content", ["acme:geheim!", "acme:geheim!\n", "\ufeffacme:geheim!\r\n"])
def test_credentials_from_a_file(tmp_path: Path, url: str, content: str) -> None:
    (tmp_path / "file").write_bytes(content.encode())
    assert called_main("check", url, "--basic-auth-file", str(tmp_path / "file"), *RULE)[0] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="the shell is bash")
def test_credentials_from_a_password_manager(tmp_path: Path, url: str) -> None:
    line = f'"{sys.executable}" -m mockcampaign check {url} --basic-auth-file <(echo acme:geheim!) {" ".join(RULE)}'
    assert subprocess.run(["bash", "-c", line], cwd=tmp_path, check=False, capture_output=True).returncode == 0


def test_credentials_from_a_variable(tmp_path: Path, url: str) -> None:
    done = mockcampaign("check", url, *RULE, folder=tmp_path, CHECK_BASIC_AUTH="acme:geheim!")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"acme", "no colon in it, allowed: USER:PASSWORD"),
        (b"", "no colon in it, allowed: USER:PASSWORD"),
        (b"a:b\nc:d\n", "{}: more than one line, allowed: one"),
        (b"\xff", "{}: not UTF-8, allowed: UTF-8 text"),
    ],
)
def test_a_file_without_credentials_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    status, _, said = called_main("check", "http://127.0.0.1:1/", "--basic-auth-file", str(path))
    assert status == 2
    colon = ": " if message.startswith("no") else " "
    assert said == f"mockcampaign: --basic-auth-file{colon}{message.format(path)}\n"


def test_only_one_option_gives_credentials(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("acme:geheim!")
    both = ("--basic-auth-file", str(tmp_path / "file"), "--key-auth", "X-Key:geheim!")
    status, _, said = called_main("check", "http://127.0.0.1:1/", *both)
    assert (status, said) == (2, "mockcampaign: allowed: one of --basic-auth-file and --key-auth, found both\n")


@pytest.mark.parametrize("command", ["check", "replay"])
def test_help_shows_safe_forms_first(command: str) -> None:
    _, shown, _ = called_main(command, "--help")
    assert shown.index("--basic-auth-file") < shown.index("--basic-auth USER") < shown.index("--key-auth NAME")
    assert f"{command.upper()}_BASIC_AUTH" in shown


def test_a_probe_command_does_not_inherit_credentials(tmp_path: Path, url: str) -> None:
    code = "import json, os; open('environment', 'w').write(json.dumps(dict(os.environ))); print('[]')"
    (tmp_path / "probe.py").write_text(code)
    command = f'"{sys.executable}" probe.py'
    environment = {"CHECK_BASIC_AUTH": "acme:geheim!", "OTHER": "kept"}
    mockcampaign("check", url, "--probe-command", command, *RULE, folder=tmp_path, **environment)
    inherited = json.loads((tmp_path / "environment").read_text())
    assert inherited["OTHER"] == "kept"
    assert not [name for name, value in inherited.items() if "geheim" in value]


def test_credentials_in_a_url_are_in_no_message() -> None:
    for target in (
        "joe:geheim!@127.0.0.1/hook",
        "http://joe:geheim!@127.0.0.1/hook",
        "joe:gehe?im!@h",
        "//joe:geheim!@h",
    ):
        status, shown, said = called_main("check", target)
        assert status == 2
        assert "gehe" not in shown + said


@pytest.mark.slow
def test_a_token_in_the_consumers_url_is_in_no_output(tmp_path: Path) -> None:
    with serve_in_thread(consumer_app("stores-first-event-only")) as base:
        probe = ("--probe", f"{base}/processed?api_key=opensesame")
        outputs = (
            "--journal",
            "j",
            "--report-json",
            "r.json",
            "--html",
            "r.html",
            "--junit",
            "r.xml",
            "--markdown",
            "r.md",
            "--sarif",
            "r.sarif",
        )
        done = mockcampaign(
            *("check", f"{base}/hook?token=opensesame", *probe, "--explain", "--scenarios", "s", *outputs),
            folder=tmp_path,
        )
        assert done.returncode == 1
        assert "token=***" in done.stdout
        down = mockcampaign("check", "http://127.0.0.1:1/hook?token=opensesame", folder=tmp_path)
        assert down.returncode == 3
        unsure = mockcampaign("check", f"{base}/hook", "--probe", f"{base}/nowhere?key=opensesame", folder=tmp_path)
        assert unsure.returncode == 3
    for one in (done, down, unsure):
        assert "opensesame" not in one.stdout + one.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path.name for path in files if b"opensesame" in path.read_bytes()] == []
    replayed = mockcampaign("replay", "j", folder=tmp_path)
    assert replayed.returncode == 2
    assert replayed.stderr.count("\n") == 1
    assert "allowed: --target URL" in replayed.stderr
    assert os.listdir(tmp_path / "s")


def test_speed_and_virtual_exclude_each_other() -> None:
    status, _, said = called_main("serve", "--virtual", "--speed", "60")
    assert status == 2
    assert "--speed has no effect with --virtual, allowed: one of the two" in said
