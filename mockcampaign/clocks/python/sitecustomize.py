"""Lets Python's `time.sleep` sleep although libfaketime is loaded. `mockcampaign clock run` puts it into PYTHONPATH.

`time.sleep` waits until a moment of the monotonic clock, which libfaketime up to 0.9.10 mistakes for one of the clock
that it fakes. Waiting for no file does the same, and libfaketime leaves it alone.
"""

import select
import sys
import time
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path


def _sleep(seconds: float) -> None:
    """Delay execution for a given number of seconds. The argument may be a floating point number."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select((), (), (), seconds)


time.sleep = _sleep  # type: ignore[assignment]

# The environment's own module of this name, which this one is in front of.
_here = Path(__file__).resolve().parent
sys.path[:] = [folder for folder in sys.path if Path(folder or ".").resolve() != _here]
_hidden = PathFinder.find_spec(__name__)
if _hidden is not None and _hidden.loader is not None:
    _module = sys.modules[__name__] = module_from_spec(_hidden)
    _hidden.loader.exec_module(_module)
