"""Serves the examples of the rules' pages, all of one language from one process, and checks each by its rule."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from checks import PATIENCE
from consumers.started import PASSWORD, USER
from endpoints import unused_port
from mockcampaign import wallclock
from mockcampaign.check.check import check
from mockcampaign.check.probes.end_state import UrlState
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.check.settings import Settings
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.verdict import RunResult
from mockcampaign.model import BasicAuthentication
from mockcampaign.policy import SECOND
from mockcampaign.transport.wire import WireTransport, wait_until_reachable
from places import TESTS
from rule_pages import Block, frame

SERVERS = TESTS / "rule_examples"
TOOLS = {"Python": (sys.executable,), "JavaScript": ("node",), "PHP": ("php",), "Java": ("java", "javac")}
"""What executes the examples of each language."""

IMPORTS = """\
import static java.nio.charset.StandardCharsets.*;

import java.nio.ByteBuffer;
import java.nio.charset.*;
import java.io.*;
import java.math.*;
import java.security.MessageDigest;
import java.time.*;
import java.time.format.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.concurrent.locks.*;
import java.util.function.*;
import java.util.regex.*;
import java.util.stream.*;

"""

OPTIONS: dict[str, dict[str, Any]] = {
    "responds-in-time": {"timeout": SECOND},
    "responds-to-unstorable-event": {"timeout": SECOND},
    "once-at-end-of-check": {"rules": ("once-at-end-of-check", "once-after-many-others", "batch")},
    "recovers-from-failed-batch": {"rules": ("recovers-from-failed-batch", "stores-control-characters")},
    "stays-available": {
        "rules": ("stays-available", "survives-oversized-body", "accepts-whatever-campaign-sends"),
    },
}
"""Settings of the checks of some rules."""

ALONE = {
    "compares-credentials-in-constant-time",
    "handles-concurrent-batches",
    "isolates-failing-batch",
    "keeps-up",
    "once-when-delivered-concurrently",
    "once-when-retried-while-working",
    "responds-in-time",
    "stores-batches-that-share-rows",
}
"""Rules that measure time, or need a server's workers at the same moment: nothing else is checked meanwhile."""


def missing(language: str) -> str | None:
    """Return a tool of the language that is not there."""
    return next((tool for tool in TOOLS[language] if shutil.which(tool) is None), None)


def assembled(block: Block) -> str:
    """Return the source of a consumer with the example in it."""
    match block.language:
        case "PHP":
            return f"<?php\nclass Example extends Consumer\n{{\n{block.code}}}\n"
        case "Java":
            name = java_name(block)
            return f"class {name} extends Consumer {{\n{name}(Database db) {{ super(db); }}\n{block.code}}}\n"
        case _:
            return f"{frame(block.language)}\n{block.code}"


def java_name(block: Block) -> str:
    """Return the name of the class with the example."""
    return re.sub(r"\W", "_", f"{block.rule}_{block.variant}")


def java_source(blocks: Iterable[Block]) -> str:
    """Return one source with all examples."""
    found = list(blocks)
    # Each by a statement of its own: the compiler takes seconds to infer the types of one call with all of them.
    makers = "\n".join(f'ALL.put("{block.path}", {java_name(block)}::new);' for block in found)
    table = f"static final Map<String, Function<Database, Consumer>> ALL = new HashMap<>();\nstatic {{\n{makers}\n}}"
    return "\n".join((IMPORTS, frame("Java"), *map(assembled, found), f"class Examples {{\n{table}\n}}"))


@contextlib.contextmanager
def served(language: str, blocks: list[Block]) -> Iterator[str]:
    """Serve examples of a language while the context is open; it gives their base URL."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = unused_port() if language == "PHP" else None
        environment = {**os.environ, "TZ": "Europe/Berlin"}
        match language:
            case "PHP":
                environment |= {"EXAMPLES": name, "PHP_CLI_SERVER_WORKERS": "8"}
                (folder / "Consumer.php").write_text(f"<?php\n{frame(language)}", encoding="utf-8")
                for block in blocks:
                    (folder / f"{block.path.replace('/', '.')}.php").write_text(assembled(block), encoding="utf-8")
                quiet = ("-d", "display_errors=0", "-d", "log_errors=0")
                command = ["php", *quiet, "-S", f"127.0.0.1:{port}", str(SERVERS / "serve.php")]
            case "Java":
                (folder / "Examples.java").write_text(java_source(blocks), encoding="utf-8")
                sources = [str(SERVERS / "Serve.java"), str(folder / "Examples.java")]
                # Both run for seconds, in which compiling less takes less.
                quick = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")
                options = [*(f"-J{option}" for option in quick), "-encoding", "UTF-8", "-proc:none", "-d", name]
                subprocess.run(["javac", *options, *sources], check=True)
                command = ["java", *quick, "-cp", name, "Serve"]
            case _:
                (folder / "examples.json").write_text(json.dumps({block.path: assembled(block) for block in blocks}))
                server = "serve.py" if language == "Python" else "serve.cjs"
                command = [*TOOLS[language], str(SERVERS / server), str(folder / "examples.json")]
        # What broken examples say is no concern of the test.
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        assert process.stdout is not None
        try:
            if port is None:
                port = int(process.stdout.readline())
            url = f"http://127.0.0.1:{port}"
            assert asyncio.run(wait_until_reachable(url, 60 * SECOND))
            yield url
        finally:
            # PHP's workers are processes of the same group.
            os.killpg(process.pid, 9)
            process.wait()
            process.stdout.close()


async def check_example(block: Block, base: str, seed: int = 1) -> RunResult:
    """Check an example by the rule of its page. It stores events, so check it again with another seed."""
    url = f"{base}/{block.path}"
    given: dict[str, Any] = {
        "now": wallclock.now() // SECOND * SECOND,
        "authentication": BasicAuthentication(USER, PASSWORD),
        "seed": seed,
        "examples": 3,
        "budget": PATIENCE,
        "timeout": 10 * SECOND,
        "rules": (block.rule,),
        "restart_command": called(f"{url}/restart"),
        "break_command": called(f"{url}/break"),
        "restore_command": called(f"{url}/restore"),
    }
    transport = WireTransport()
    try:
        return await check(
            f"{url}/hook",
            transport=transport,
            settings=Settings(**(given | OPTIONS.get(block.rule, {}))),
            probe=UrlProbe(Probe(url=f"{url}/processed", events="@"), transport, timeout=30 * SECOND),
            state=UrlState(f"{url}/state", transport, timeout=30 * SECOND),
        )
    finally:
        await transport.aclose()


async def wrong_examples(blocks: Iterable[Block], base: str) -> list[str]:
    """Check examples, several at the same time since many of them wait, and return what is wrong with them."""
    limit = asyncio.Semaphore(4)

    async def one(block: Block, seed: int = 1) -> str | None:
        async with limit:
            return wrong(block, await check_example(block, base, seed))

    found = list(blocks)
    together = [block for block in found if block.rule not in ALONE]
    said = dict(zip(together, await asyncio.gather(*map(one, together)), strict=True))
    for block in found:
        for seed in (2, 3, 4):
            text = said.get(block, "not checked yet")
            # These depend on time, and a busy machine may hide it once. It may also take too long for any rule.
            if text is not None and (block.rule in ALONE or re.search(": (not-exercised|could-not-tell): ", text)):
                said[block] = await one(block, seed)
    return [text for text in said.values() if text is not None]


def called(url: str) -> str:
    """Return a command that sends requests to the URL until one succeeds."""
    code = (
        "import sys, time, urllib.error, urllib.request\n"
        "while True:\n"
        "    try:\n"
        "        urllib.request.urlopen(sys.argv[1], b'')\n"
        "        break\n"
        "    except urllib.error.HTTPError:\n"
        "        time.sleep(0.01)\n"
    )
    return shlex.join([sys.executable, "-S", "-c", code, url])


def wrong(block: Block, result: RunResult) -> str | None:
    """Return what is wrong with an example that was checked: a broken one has to be found, and a fixed one to pass."""
    finding = next(finding for finding in result.rules if finding.id == block.rule)
    is_right = finding.outcome in (("fail", "warn") if block.variant == "broken" else ("pass",))
    said = f"{block.language} {block.path}: {finding.outcome}: {finding.reason or finding.actual}"
    return None if is_right else said
