"""Output on a terminal: lines that fit, color only if wanted, and the progress of a run."""

from __future__ import annotations

import asyncio
import os
import re
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands import written
from golden import check_golden
from mockcampaign.judging.verdict import run_result
from mockcampaign.report.columns import PLAIN, Copyable, cells, fitted, folded
from mockcampaign.report.scenario_text import scenario_lines, summary_lines
from mockcampaign.samples.consumer import consumer_app, serve_consumer
from mockcampaign.serving import serve_in_thread
from results import every_outcome, outage, scenario

# Windows has no pseudo-terminals.
fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))

TEXTS = st.text(st.characters(categories=("L", "N", "P", "Zs")), max_size=120)


@given(pieces=st.lists(TEXTS, min_size=1, max_size=4), width=st.integers(20, 100))
def test_folded_lines_fit_and_lose_nothing_but_spaces(pieces: list[str], width: int) -> None:
    parts = list(folded([(piece, PLAIN) for piece in pieces], width))
    lines = ["".join(text for text, _ in part) for part in parts]
    assert "".join("".join(pieces).split(" ")) == "".join("".join(lines).split(" "))
    if all(cells(piece) <= width // 2 for piece in pieces[:-1]) and len(pieces) <= 2:
        assert all(cells(line.rstrip(" ")) <= width for line in lines)


def test_long_text_continues_below_its_beginning() -> None:
    line = [("  actual    ", PLAIN), ("one two three four five six", PLAIN)]
    assert ["".join(text for text, _ in part) for part in folded(line, 28)] == [
        "  actual    one two three",
        "            four five six",
    ]


@given(text=TEXTS, width=st.integers(8, 60))
def test_a_cell_of_a_table_has_its_width(text: str, width: int) -> None:
    assert width - 1 <= cells(fitted(text, width)) <= width


def test_the_report_fits_eighty_columns() -> None:
    result = every_outcome()
    lines = [line for one in result.scenarios for line in scenario_lines(one, verbosity=1)]
    lines += summary_lines(result, width=80)
    shown = ["".join(text for text, _ in part).rstrip() for line in lines for part in folded(line, 80)]
    assert max(map(cells, shown)) <= 80
    check_golden("report.80.txt", "\n".join(shown) + "\n")


def test_a_long_name_leaves_room_for_the_numbers() -> None:
    result = run_result([scenario(name="名前" * 60), scenario(name="short")])
    table = ["".join(text for text, _ in line) for line in summary_lines(result, width=80)][1:4]
    assert [cells(line) for line in table] == [80, 80, 80]
    assert "…" in table[1]


def on_terminal(folder: Path, url: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Return the exit status, and what is written to a terminal of 80 columns."""
    terminal, other_end = pty.openpty()
    fcntl.ioctl(other_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "CI")}
    process = subprocess.Popen(
        [sys.executable, "-m", "mockcampaign", *arguments],
        cwd=folder,
        env={**inherited, "CONSUMER_URL": url, "TERM": "xterm", **environment},
        stdout=other_end,
        stderr=subprocess.DEVNULL,
    )
    os.close(other_end)
    seen = b""
    try:
        while piece := os.read(terminal, 10_000):
            seen += piece
    except OSError:
        pass  # how Linux says that the other end is closed
    os.close(terminal)
    return process.wait(timeout=60), seen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("arguments", "environment", "colours"),
    [((), {}, True), (("--no-color",), {}, False), ((), {"NO_COLOR": "1"}, False)],
)
def test_color_is_for_terminals_that_want_it(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], colours: bool
) -> None:
    written(tmp_path)
    with serve_in_thread(consumer_app("stores-first-event-only")) as url:
        status, shown = on_terminal(tmp_path, url, "run", ".", *arguments, **environment)
    assert status == 1
    assert ("\x1b[31m" in shown) is colours
    assert ("\x1b" in shown) is colours
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert max(map(cells, plain)) <= 80
    assert "  FAIL consumer.processed: exactly-once" in plain


@pytest.mark.slow
def test_the_demo_shows_its_progress(tmp_path: Path) -> None:
    terminal, other_end = pty.openpty()
    fcntl.ioctl(other_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "mockcampaign", "demo", "-q"]
    environment = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=other_end
    ) as process:
        os.close(other_end)
        seen = b""
        try:
            while piece := os.read(terminal, 10_000):
                seen += piece
        except OSError:
            pass  # how Linux says that the other end is closed
        os.close(terminal)
    assert process.returncode == 0
    # Which scenarios are seen in between depends on how fast they are.
    assert re.search(rb"\b\d/18 correct: [\w-]+\.scenario\.yaml", seen)
    assert b"18/18 never-deduplicates: two-types.scenario.yaml" in seen


def test_a_long_run_shows_its_progress(tmp_path: Path) -> None:
    """The consumer responds once the progress has been shown, so nothing depends on timing."""
    shown = threading.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        while (await receive()).get("more_body"):
            pass
        await asyncio.to_thread(shown.wait, 60)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    probe = '  probe: {url: "${CONSUMER_URL}/processed", events: "@"}\n'
    changes = (
        (probe, ""),
        ("      consumer: {processed: exactly-once}\n", ""),
        ("three opens", '"three [red]\\e[2Jopens"'),
    )
    written(tmp_path, *changes)
    terminal, other_end = pty.openpty()
    with serve_in_thread(app) as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "mockcampaign", "run", "."],
            cwd=tmp_path,
            env={**os.environ, "CONSUMER_URL": url, "TERM": "xterm"},
            stdout=subprocess.PIPE,
            stderr=other_end,
        )
        os.close(other_end)
        seen = b""
        while b"opens" not in seen:
            seen += os.read(terminal, 1_000)
        shown.set()
        printed, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 0
    assert b"+0s of virtual time, 0 attempts/s, 3 pending: three [red]\\x1b[2Jopens" in seen
    assert printed.startswith(b"compliant  three [red]\\x1b[2Jopens")


def test_the_end_of_a_run_says_what_failed_and_what_to_type_next() -> None:
    lines = ["".join(text for text, _ in line).rstrip() for line in summary_lines(every_outcome(), width=80)]
    assert lines[-6:] == [
        "1 of 3 scenarios failed, 1 inconclusive, 1 passed",
        "  FAIL A list is lost: scenarios/outage.scenario.yaml:14:18  consumer.processed: exactly-once: 3 missing, "
        "first type=open mailId=3IH…",
        "  ?    Nobody there: scenarios/outage.scenario.yaml  consumer http://consumer/opens: connection refused",
        "  what to type next",
        "    mockcampaign rules responds-200",
        "    mockcampaign run scenarios/outage.scenario.yaml -v",
    ]
    whole = ["".join(text for text, _ in line).rstrip() for line in summary_lines(every_outcome())]
    assert whole[-4].startswith(lines[-4].removesuffix("…"))
    assert not whole[-4].endswith("…")  # nothing is cut without a terminal
    [_] = summary_lines(every_outcome(), verbosity=-1, width=80)  # the findings stand right before it
    [passed] = summary_lines(run_result([scenario(journal=outage({}).journal.entries)]))
    assert "".join(text for text, _ in passed) == "1 of 1 scenario passed"


def test_a_command_to_copy_is_never_folded() -> None:
    command = f"curl -d '{'x ' * 100}' http://consumer/"
    assert list(folded([(Copyable(command), PLAIN)], 80)) == [[(command, PLAIN)]]
    assert len(list(folded([(command, PLAIN)], 80))) > 1


@pytest.mark.parametrize("credentials", [(), ("--basic-auth", "acme:it's secret")])
def test_what_a_terminal_of_eighty_columns_shows_runs_as_it_is(tmp_path: Path, credentials: tuple[str, ...]) -> None:
    """Every command is copied to a shell, and the curl commands reach the consumer, which stores the first event."""
    with serve_consumer("stores-first-event-only") as url:
        arguments = ("--probe", f"{url}/processed", *credentials, "--rules", "stores-every-event")
        environment = {"HOOK_USER": "acme", "HOOK_PASSWORD": "secret"}
        hook = f"{url}/hook"
        _, printed = on_terminal(
            tmp_path, url, "check", hook, *arguments, "--explain", "--scenarios", "s", "--no-color"
        )
        lines = printed.splitlines()
        commands = [line for line in lines if line.lstrip().startswith(("curl ", "mockcampaign "))]
        assert [command.split()[0] for command in commands] == ["curl", "curl", *["mockcampaign"] * 3]
        assert len(commands[0]) > 80
        for command in commands:
            checked = subprocess.run(["bash", "-n", "-c", command], capture_output=True)
            assert (checked.returncode, checked.stderr) == (0, b"")
        sent, probed = (
            subprocess.run(["bash", "-c", command], capture_output=True, env={**os.environ, **environment}).stdout
            for command in commands[:2]
        )
    assert b"200 OK" in sent.splitlines()[0]
    first, second = re.findall(rb'"mailId":"([^"]+)"', commands[0].encode())
    assert first in probed
    assert second not in probed
