"""The environment in which a process follows a clock file, by libfaketime.

Only the wall clock is led. The monotonic clock, by which programs measure time-outs and set timers, must never jump:
three days would end every connection, and a step back would let timers ring days too late.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from mockcampaign.errors import InvalidInputError

CLOCK_FILE_VARIABLE = "MOCKCAMPAIGN_CLOCK_FILE"
"""Environment variable with the path of the clock file, for consumers that read it themselves."""

LIBRARY_VARIABLE = "MOCKCAMPAIGN_LIBFAKETIME"
"""Environment variable with the path of libfaketime, where it is in no usual folder."""

_SETTINGS: Mapping[str, str] = {
    "FAKETIME_NO_CACHE": "1",  # or it would look at the file only every ten seconds
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    # Up to 0.9.10 it would turn waits by the monotonic clock into waits of no time, so that a JVM takes a whole core.
    "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    "NO_FAKE_STAT": "1",  # times of files are those of the machine
    "FAKETIME_DISABLE_SHM": "1",  # a killed consumer would leave shared memory behind
}

_PYTHON_FOLDER = Path(__file__).parent / "python"
"""A folder for PYTHONPATH, whose `sitecustomize` repairs `time.sleep`."""

_FOLDERS = (
    *("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/lib64/faketime", "/usr/lib", "/usr/lib64"),
    *("/usr/local/lib/faketime", "/usr/local/lib", "/opt/homebrew/lib/faketime", "/opt/homebrew/lib"),
)
"""Where Debian, Fedora, Alpine, Homebrew and libfaketime's own installation put the library."""

_NAMES = {
    # The first one is for programs with threads.
    "linux": ("libfaketimeMT.so.1", "libfaketime.so.1"),
    "darwin": ("libfaketimeMT.1.dylib", "libfaketime.1.dylib"),
}


def find_library(environment: Mapping[str, str], platform: str = sys.platform, root: Path = Path("/")) -> Path:
    """Return the path of libfaketime on this machine.

    Raises `InvalidInputError` if there is none, or if the platform has no such means.
    """
    names = _NAMES.get(platform)
    if names is None:
        raise InvalidInputError(f"clock run: no process can be led on {platform}, allowed: Linux or macOS")
    named = environment.get(LIBRARY_VARIABLE)
    if named is not None:
        if not Path(named).is_file():
            raise InvalidInputError(f"{LIBRARY_VARIABLE} {named}: no such file, allowed: the path of {names[0]}")
        return Path(named)
    found = next(_libraries(root, names), None)
    if found is None:
        raise InvalidInputError(
            f"clock run needs libfaketime, which is in no usual folder: apt-get install faketime (Debian, Ubuntu) or "
            f"brew install libfaketime (macOS), or name {names[0]} in {LIBRARY_VARIABLE}"
        )
    return found


def _libraries(root: Path, names: tuple[str, ...]) -> Iterator[Path]:
    own = getattr(sys.implementation, "_multiarch", "")  # of several architectures, that of this machine
    folders = ([f"/usr/lib/{own}/faketime"] if own else []) + list(_FOLDERS)
    for folder in folders:
        for name in names:
            yield from sorted(root.glob(f"{folder[1:]}/{name}"))


def led_environment(environment: Mapping[str, str], library: Path, clock_file: Path) -> dict[str, str]:
    """Return the environment of a process that follows the file, with whatever else it contains."""
    if library.suffix == ".dylib":
        preload, separator, more = "DYLD_INSERT_LIBRARIES", ":", {"DYLD_FORCE_FLAT_NAMESPACE": "1"}
    else:
        preload, separator, more = "LD_PRELOAD", ":", {}
    path = str(clock_file.resolve())
    others = {name: value for name, value in environment.items() if name != "FAKETIME"}  # which would win
    return {
        **others,
        **_SETTINGS,
        **more,
        preload: _before(str(library), environment.get(preload), separator),
        "PYTHONPATH": _before(str(_PYTHON_FOLDER), environment.get("PYTHONPATH"), ":"),
        "FAKETIME_TIMESTAMP_FILE": path,
        CLOCK_FILE_VARIABLE: path,
    }


def _before(first: str, others: str | None, separator: str) -> str:
    return first if not others else f"{first}{separator}{others}"


def why_not_led(program: Path) -> str | None:
    """Return why libfaketime does not lead a program; None if it does, as far as the program's file shows."""
    try:
        content = program.read_bytes()
    except OSError:
        return None
    if not content.startswith(b"\x7fELF") or CLOCK_FILE_VARIABLE.encode() in content:
        return None
    if b"\xff Go buildinf:" in content:
        return "a Go program, which asks the kernel for the time: build it with the overlay of `clock go-overlay`"
    # The path of the loader, by which alone a library gets into a program.
    if not any(loader in content[:8_192] for loader in (b"/ld-linux", b"/ld-musl", b"/ld64.so", b"/ld.so")):
        return "linked statically, and has no place for a library"
    return None
