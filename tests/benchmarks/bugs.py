"""Which bugs of the sample consumers a test by hand finds, and which the check finds.

The test by hand does what a double that posts can do: it posts valid batches of every type and of 1 to 100 events, each
once, and expects 200. A better one compares the stored events afterwards. The check runs the rule that has to find the
bug, over loopback; for a sample of the bugs, it runs every rule. Bugs come in random order, and those that the time
limit leaves are not counted on either side. This takes minutes, so it runs only if it is named.
"""

from __future__ import annotations

import itertools
import logging
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import requests
from harness import Row

from judged import CREDENTIALS, checked_over_loopback, few, judged, settings
from matrix import checks
from mockcampaign import json_text
from mockcampaign.events import Generator
from mockcampaign.model import EventType
from mockcampaign.samples import bugs
from mockcampaign.samples.consumer import BUGS, serve_consumer
from mockcampaign.wallclock import now

SIZES = (1, 2, 10, 50, 100)
PATIENCE_SECONDS = 10
"""The sender's time-out: a test by hand waits no longer for a response."""
SECONDS_MAX, SAMPLED_EVERY = 900, 10

FAMILIES = {name: module.BUGS for name, module in sorted(vars(bugs).items()) if hasattr(module, "BUGS")}
"""The bugs by the name of their module."""


class ByHand(NamedTuple):
    """What the tests by hand say of one consumer."""

    statuses: bool
    """Whether a response was missing, or was not 200."""
    stored: bool
    """Whether that, or the stored events are not those that were posted."""


def by_hand(bug: str | None) -> ByHand:
    """Post valid batches to a consumer."""
    generator, began, posted = Generator("by hand", 1), now(), Counter[bytes]()
    failed = differs = False
    with serve_consumer(bug, basic_authentication=CREDENTIALS) as url, requests.Session() as session:
        session.headers.update(CREDENTIALS.headers())
        session.headers["Content-Type"] = "application/json"
        try:
            for event_type, size in itertools.product(EventType, SIZES):
                moments = [began - 60_000 + number for number in range(size)]
                events = list(generator.payloads(event_type, size, moments))
                posted.update(canonical(json_text.decode(event)) for event in events)
                body = b"[" + b",".join(events) + b"]"
                done = session.post(f"{url}/hook", data=body, timeout=PATIENCE_SECONDS, allow_redirects=False)
                failed = failed or done.status_code != 200
            stored = json_text.decode(session.get(f"{url}/processed", timeout=PATIENCE_SECONDS).content)
            differs = Counter(map(canonical, stored)) != posted
        except requests.RequestException:
            failed = True
    return ByHand(failed, failed or differs)


def canonical(event: object) -> bytes:
    """The same bytes for equal events."""
    return json_text.encode(event, "sorted")


def whole(bug: str) -> tuple[bool, float]:
    """Whether every rule together find the bug, and how long that takes."""
    began = time.monotonic()
    result = judged(bug, 1, checked_over_loopback(bug, settings(1, **few(bug))))
    return result.caught, time.monotonic() - began


def measure() -> Iterator[Row]:
    logging.disable(logging.CRITICAL)  # the consumers' logs are of no interest here
    names = sorted(BUGS)
    random.Random(1).shuffle(names)
    until = time.monotonic() + SECONDS_MAX
    found = {one.name: one.caught for one in checks(((name, 1) for name in names), 2, until)}
    tested = {name: by_hand(name) for name in found}
    wholes = {name: whole(name) for name in list(found)[::SAMPLED_EVERY]}
    correct = by_hand(None)
    assert not correct.stored, "the tests by hand accuse the correct consumer"

    def row(what: str, bugs: Sequence[str]) -> Row:
        statuses, stored = (sum(tested[bug][which] for bug in bugs) for which in (0, 1))
        caught = sum(found[bug] for bug in bugs)
        return Row(
            what=f"{what}: {len(bugs)} bugs",
            measured=f"200 expected: {statuses} found; stored events compared as well: {stored}",
            yardstick=f"check: {caught}{missed(bugs)}",
            ratios=(statuses / max(1, caught),),
        )

    def missed(bugs: Sequence[str]) -> str:
        names = [bug for bug in bugs if not found[bug]]
        return f" (not {', '.join(names)})" if names else ""

    yield row("all", list(found))
    for family, of_family in FAMILIES.items():
        yield row(family, [bug for bug in of_family if bug in found])
    together = [bug for bug, (caught, _) in wholes.items() if not caught]
    seconds = statistics.median(took for _, took in wholes.values())
    yield Row(
        what=f"every rule, of a sample of {len(wholes)} bugs",
        measured=f"{len(wholes) - len(together)} found{f' (not {chr(44).join(together)})' if together else ''}",
        yardstick=f"{seconds:.1f} s for each, {len(BUGS) - len(found)} bugs left out by the time limit",
        ratios=((len(wholes) - len(together)) / len(wholes),),
        at_least=1.0,
    )
