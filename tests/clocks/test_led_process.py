"""The environment in which a process follows a clock file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mockcampaign
from mockcampaign.clocks.led_process import find_library, led_environment, why_not_led
from mockcampaign.errors import InvalidInputError


def placed(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


@pytest.mark.parametrize(
    ("platform", "paths", "found"),
    [
        ("linux", ["usr/lib/x/faketime/libfaketime.so.1"], "usr/lib/x/faketime/libfaketime.so.1"),
        (
            "linux",
            ["usr/lib/faketime/libfaketime.so.1", "usr/lib/faketime/libfaketimeMT.so.1"],
            "usr/lib/faketime/libfaketimeMT.so.1",
        ),
        (
            "darwin",
            ["opt/homebrew/lib/faketime/libfaketime.1.dylib"],
            "opt/homebrew/lib/faketime/libfaketime.1.dylib",
        ),
    ],
)
def test_the_library_is_found_where_packages_put_it(
    tmp_path: Path, platform: str, paths: list[str], found: str
) -> None:
    assert find_library({}, platform, placed(tmp_path, *paths)) == tmp_path / found


def test_of_several_architectures_that_of_the_machine_is_found(tmp_path: Path) -> None:
    own = getattr(sys.implementation, "_multiarch", "")
    paths = [f"usr/lib/{name}/faketime/libfaketime.so.1" for name in ("a-linux-gnu", own, "z-linux-gnu")]
    assert find_library({}, "linux", placed(tmp_path, *paths)) == tmp_path / paths[bool(own)]


def test_the_library_can_be_named(tmp_path: Path) -> None:
    placed(tmp_path, "mine.so")
    assert find_library({"MOCKCAMPAIGN_LIBFAKETIME": str(tmp_path / "mine.so")}, "linux") == tmp_path / "mine.so"


@pytest.mark.parametrize(
    ("environment", "platform", "problem"),
    [
        (
            {},
            "linux",
            "clock run needs libfaketime, which is in no usual folder: apt-get install faketime (Debian, Ubuntu) or "
            "brew install libfaketime (macOS), or name libfaketimeMT.so.1 in MOCKCAMPAIGN_LIBFAKETIME",
        ),
        (
            {"MOCKCAMPAIGN_LIBFAKETIME": "/nowhere"},
            "linux",
            "MOCKCAMPAIGN_LIBFAKETIME /nowhere: no such file, allowed: the path of libfaketimeMT.so.1",
        ),
        ({}, "win32", "clock run: no process can be led on win32, allowed: Linux or macOS"),
    ],
)
def test_a_missing_library_is_one_line(
    tmp_path: Path, environment: dict[str, str], platform: str, problem: str
) -> None:
    with pytest.raises(InvalidInputError, match=f"^{re.escape(problem)}$"):
        find_library(environment, platform, tmp_path)


def test_the_environment_keeps_what_else_is_in_it(tmp_path: Path) -> None:
    given = {"HOME": "/home/me", "LD_PRELOAD": "other.so", "PYTHONPATH": "/mine", "FAKETIME": "+1d", "TZ": "CET"}
    led = led_environment(given, Path("/lib/libfaketimeMT.so.1"), tmp_path / "clock")
    assert led["HOME"] == "/home/me"
    assert led["TZ"] == "CET"
    assert led["LD_PRELOAD"] == "/lib/libfaketimeMT.so.1:other.so"
    assert led["PYTHONPATH"].endswith("python:/mine")
    assert led["FAKETIME_TIMESTAMP_FILE"] == led["MOCKCAMPAIGN_CLOCK_FILE"] == str(tmp_path.resolve() / "clock")
    assert "FAKETIME" not in led, "it would win over the file"


def test_a_program_in_python_starts_from_an_installation_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(Path(mockcampaign.__file__).parent / "clocks")
    (tmp_path / "sitecustomize.py").write_text("print('its own')\n")
    done = subprocess.run(
        [sys.executable, "-c", "import time; print(time.sleep.__module__)"],
        env={"PYTHONPATH": f"{tmp_path}/linked/python:{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("its own\nsitecustomize\n", "")


def test_on_macos_the_loader_has_other_variables(tmp_path: Path) -> None:
    led = led_environment({}, Path("/lib/libfaketime.1.dylib"), tmp_path / "clock")
    assert led["DYLD_INSERT_LIBRARIES"] == "/lib/libfaketime.1.dylib"
    assert led["DYLD_FORCE_FLAT_NAMESPACE"] == "1"
    assert "LD_PRELOAD" not in led


ELF, LOADER, GO = b"\x7fELF" + bytes(60), b"/lib64/ld-linux-x86-64.so.2", b"\xff Go buildinf:"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"#!/bin/sh\n", None),
        (ELF + LOADER, None),
        (ELF, "linked statically, and has no place for a library"),
        (
            ELF + LOADER + GO,
            "a Go program, which asks the kernel for the time: build it with the overlay of `clock go-overlay`",
        ),
        (ELF + GO + b"MOCKCAMPAIGN_CLOCK_FILE", None),
    ],
)
def test_a_program_that_does_not_follow_is_recognised(tmp_path: Path, content: bytes, expected: str | None) -> None:
    (tmp_path / "hook").write_bytes(content)
    assert why_not_led(tmp_path / "hook") == expected


def test_a_program_that_cannot_be_read_may_follow(tmp_path: Path) -> None:
    assert why_not_led(tmp_path / "hook") is None
