"""Which frames of an error a failing test shows: those of the test and of its consumer, never those of this package."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from types import TracebackType

import pytest

import mockcampaign
from mockcampaign.errors import MockcampaignError

_OURS = os.path.dirname(mockcampaign.__file__) + os.sep
_INSTALLED = tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def shown_at_the_test(excinfo: pytest.ExceptionInfo[BaseException]) -> pytest.ExceptionInfo[BaseException]:
    """Return what to show of an error.

    The text of one of our own errors says it all, so its traceback ends at the line of the test that led to it, and
    there is none if no line of the test did. Every other error stays as it is.
    """
    error = excinfo.value
    if not isinstance(error, MockcampaignError | pytest.UsageError) or not _is_raised_here(excinfo.tb):
        return excinfo
    if _cut_below_test(excinfo.tb):
        _cut_causes(error)
        return excinfo
    failure = pytest.fail.Exception(str(error), pytrace=False)
    return pytest.ExceptionInfo.from_exc_info((type(failure), failure, excinfo.tb))


def _cut_causes(error: BaseException) -> None:
    """Shorten what has caused an error to the lines of the test, and leave out a cause that has none."""
    while (cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        traceback = cause.__traceback__
        while traceback is not None and not _is_of_test(traceback):
            traceback = traceback.tb_next
        if traceback is None:
            error.__cause__ = None  # suppresses the context, too
            return
        cause.__traceback__ = traceback
        if isinstance(cause, MockcampaignError):
            _cut_below_test(traceback)
        error = cause


def _cut_below_test(traceback: TracebackType) -> bool:
    """End a traceback at its last line of the test. Return False if it has none."""
    of_test = [one for one in _entries(traceback) if _is_of_test(one)]
    if not of_test:
        return False
    of_test[-1].tb_next = None
    return True


def _is_raised_here(traceback: TracebackType) -> bool:
    return any(_file(one).startswith(_OURS) for one in _entries(traceback))


def _is_of_test(traceback: TracebackType) -> bool:
    file = _file(traceback)
    return not file.startswith(("<", _OURS, *_INSTALLED))


def _entries(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _file(traceback: TracebackType) -> str:
    return traceback.tb_frame.f_code.co_filename
