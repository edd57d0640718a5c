"""Work counted in calls of functions, which no load of the machine changes."""

from __future__ import annotations

import collections
import sys
from collections.abc import Callable


def calls_of(work: Callable[[], object]) -> int:
    """How many functions the work calls, in Python and in C, when it is not done for the first time."""
    work()  # imports, and fills what is kept
    count = collections.Counter[str]()
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, argument: count.update((event,)))
    try:
        work()
    finally:
        sys.setprofile(before)
    return count["call"] + count["c_call"]
