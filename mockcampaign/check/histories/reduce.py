"""Reducing a failing history: fewer steps first, then simpler ones.

Hypothesis cannot begin at a given value, and steps are few, so plain delta debugging finds as short a history sooner.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from typing import TypeVar

from mockcampaign.check.histories.history_steps import History, Inject

Found = TypeVar("Found")

TWICE_LOST = Inject("lost-ack", {"times": 2})


async def reduced(
    history: History, found: Found, ask: Callable[[History], Awaitable[Found | None]]
) -> tuple[History, Found]:
    """Return the smallest history that can be reached for which `ask` finds something, with what it finds.

    No step of the result can be left out, and none be replaced by a simpler one. If `ask` raises, so does this.
    """
    smaller = True
    while smaller:
        smaller = False
        for candidate in candidates(history):
            seen = await ask(candidate)
            if seen is not None:
                history, found, smaller = candidate, seen, True
                break
    return history, found


def candidates(history: History) -> Iterator[History]:
    """Yield smaller histories, those that leave out most steps first."""
    size = len(history) // 2
    while size:
        for start in range(0, len(history), size):
            if len(history) > size:
                yield history[:start] + history[start + size :]
        size //= 2
    # Of steps that follow each other in an unlucky order, each may seem to matter: faults come first in the shortest.
    faults_first = tuple(sorted(history, key=lambda step: not isinstance(step, Inject)))
    if faults_first != history:
        yield from (faults_first[:index] + faults_first[index + 1 :] for index in range(len(history)))
    # Two faults of one attempt may be needed where two lost responses, one after the other, show the same.
    faults = [index for index, step in enumerate(history) if isinstance(step, Inject)]
    for first, second in pairwise(faults):
        yield (*history[:first], TWICE_LOST, *history[first + 1 : second], *history[second + 1 :])
    for index, step in enumerate(history):
        for simpler in step.simpler():
            yield (*history[:index], simpler, *history[index + 1 :])
