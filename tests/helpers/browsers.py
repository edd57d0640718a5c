"""A real browser for tests, and what it must never do on a page of ours."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Chromium without windows takes a third of the processor time of one that draws its own, and shows the same pages."""


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """Headless Chromium, where there is one. In CI there has to be."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        message = f"no browser, wanted: one of {', '.join(NAMES)} (Debian package chromium-headless-shell)"
        assert not os.environ.get("CI"), message
        pytest.skip(message)
    sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    # As root, which CI often is, Chromium runs only without its sandbox; the pages come from this machine.
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield running
        finally:
            running.close()


@contextlib.contextmanager
def clean_page(running: Any, url: str, *, lost_is_fine: bool = False, **more: Any) -> Iterator[Any]:
    """A page that logs no error, breaks no security policy, and asks no other address than its own.

    `lost_is_fine`: the server may go away, which the browser tells as an error.
    """
    problems: list[str] = []
    host = urlsplit(url).netloc
    context = running.new_context(reduced_motion="reduce", **more)  # each frame of a motion is painted by processors
    page = context.new_page()
    page.set_default_timeout(60_000)  # a busy machine takes its time
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on(
        "request",
        lambda request: None if urlsplit(request.url).netloc in (host, "") else problems.append(f"asked {request.url}"),
    )
    try:
        yield page
        # A refused call is a message of the browser's own, and at times just what a test wants to see.
        expected = ("status of 4", *(("net::ERR_",) if lost_is_fine else ()))
        unexpected = [problem for problem in problems if not any(word in problem for word in expected)]
        assert not unexpected, unexpected
    finally:
        context.close()


def violations(page: Any, without: Sequence[str] = ()) -> list[Any]:
    """Return what violates the rules of axe on a page as it is now, without some rules.

    The script is left in the page for the next time, and elements that violate nothing are not described.
    """
    axe = pytest.importorskip("axe_playwright_python.base")
    if page.evaluate("!('axe' in window)"):
        page.evaluate(axe.AXE_SCRIPT)
    options = {"resultTypes": ["violations"], "rules": {name: {"enabled": False} for name in without}}
    found: list[Any] = page.evaluate("options => axe.run(options).then((results) => results.violations)", options)
    return [(rule["id"], [(node["html"], node["failureSummary"]) for node in rule["nodes"]]) for rule in found]
