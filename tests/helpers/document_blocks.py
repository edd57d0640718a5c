"""The blocks of code on the pages for users, and a shell that executes those of one page as their reader would."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from places import ROOT

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_REMARK = re.compile(r"<!-- not executed: (?P<reason>[^\n]+) -->\s*\Z")
_FILE = re.compile(r"(?:<\?php\s+)?(?:#|//) (?P<name>[\w./-]+\.\w+)\n")


NODE_MODULES = str(ROOT / "tests" / "consumers" / "node_modules")
"""Packages for pages that show a consumer on Node."""


class Block(NamedTuple):
    """A block of code on a page."""

    page: str
    line: int
    language: str
    text: str
    not_executed: str
    """Why it is not executed, as a comment before it says; empty for all others."""

    @property
    def file(self) -> str:
        """Name of the file that the block is, as a comment in its first line says; empty for all others."""
        named = _FILE.match(self.text)
        return named["name"] if named else ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    for fence in _FENCE.finditer(text):
        remark = _REMARK.search(text, 0, fence.start())
        line = text.count("\n", 0, fence.start()) + 1
        found.append(Block(page, line, fence["language"], fence["text"], remark["reason"] if remark else ""))
    return found


def indented_blocks_of(page: str) -> list[str]:
    """Return the first lines of blocks that are no fenced ones, so that nothing says in which language they are."""
    text = _FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    return re.findall(r"(?<=\n\n) {4}\S.*", text)


class Frame(NamedTuple):
    """What a page supposes that its reader has."""

    before: str = ""
    """Commands that start it."""
    files: tuple[tuple[str, str], ...] = ()
    """Files in the reader's folder, with their texts."""
    replaced: tuple[tuple[str, str], ...] = ()
    """Texts of the page that the test replaces, such as a shorter duration."""


_SHELL = """
set -u
PATH={tools}:$PATH
trap 'echo "line $LINENO: status $?" >> failed' ERR
await() {{ python -c '
import socket, sys, time
for _ in range(600):
    try:
        sys.exit(socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close())
    except ConnectionRefusedError:
        time.sleep(0.05)
sys.exit("nothing listens")' $1; }}
"""

_TOOLS = {
    "python": '#!/bin/sh\nexec {python} "$@"\n',
    "mockcampaign": """#!/bin/sh
if [ "$1" = consumer ]; then shift; set -- consumer --port {consumer} "$@"; fi
exec {python} -m mockcampaign "$@"
""",
}


class Executed(NamedTuple):
    """What came of a block of commands."""

    printed: str
    failed: str
    """A line for each command that failed, with its status."""


def execute(blocks: list[Block], frame: Frame, folder: Path) -> list[Executed]:
    """Execute the blocks of a page in one shell, in order: files are written, and commands are executed.

    Ports 8000 and 8080 stand for free ones. A command in the background is waited for until it listens.
    """
    ports = {"8000": _free_port(), "8080": _free_port()}
    results = folder / "results"
    results.mkdir()
    work = folder / "work"
    work.mkdir()

    def adapted(text: str) -> str:
        for old, new in frame.replaced:
            text = text.replace(old, new)
        return re.sub(r"\b(8000|8080)\b", lambda port: ports[port[0]], text)

    for name, text in frame.files:
        (work / name).write_text(adapted(text), encoding="utf-8")
        (work / name).chmod(0o755)
    tools = folder / "tools"
    tools.mkdir()
    for name, text in _TOOLS.items():
        (tools / name).write_text(text.format(consumer=ports["8000"], python=sys.executable))
        (tools / name).chmod(0o755)
    script = [_SHELL.format(tools=tools)]
    script.append(_waiting(adapted(frame.before), ports))
    for index, block in enumerate(blocks):
        if block.file:
            (results / f"{index}.file").write_text(adapted(block.text), encoding="utf-8")
            script.append(f"mkdir -p $(dirname {block.file}); cp {results}/{index}.file {block.file}")
        else:
            text = _waiting(adapted(block.text), ports)
            script.append(
                f": > failed\n{{\n{text}\n}} > {results}/{index}.printed 2>&1\nmv failed {results}/{index}.failed"
            )
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    with (folder / "shell.log").open("w") as log_file:
        shell = subprocess.Popen(
            ["bash", "-c", "\n".join(script)],
            cwd=work,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                "MOCKCAMPAIGN_SERVE_PORT": ports["8080"],
                "NODE_PATH": NODE_MODULES,
            },
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        shell.wait(600)  # pages with several whole checks, on a busy machine
    finally:
        with contextlib.suppress(ProcessLookupError):  # nothing runs in the background
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
        for name in ("pid", "consumer.pid"):  # of a consumer that a command restarted in a session of its own
            if (work / name).exists():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int((work / name).read_text()), signal.SIGKILL)
    log = (folder / "shell.log").read_text(encoding="utf-8")
    return [_result(results, index, log) for index, block in enumerate(blocks) if not block.file]


def _result(results: Path, index: int, log: str) -> Executed:
    try:
        return Executed(*((results / f"{index}.{kind}").read_text(encoding="utf-8") for kind in ("printed", "failed")))
    except FileNotFoundError:
        return Executed(log, "not reached")


def _waiting(commands: str, ports: dict[str, str]) -> str:
    """Return the commands; each that is started in the background has to listen before the next one begins."""

    def wait(line: re.Match[str]) -> str:
        port = ports["8080" if "mockcampaign serve" in line[0] else "8000"]
        return f"{line['command']}> background.log 2>&1 & await {port}"

    return re.sub(r"^(?P<command>.*[^&])&$", wait, commands, flags=re.MULTILINE)


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return str(listening.getsockname()[1])
