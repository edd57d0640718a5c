"""Wall time that no library for tests freezes."""

from __future__ import annotations

import importlib.util
import time
from datetime import UTC, datetime
from types import ModuleType

import pytest
from freezegun import freeze_time

from mockcampaign import wallclock
from mockcampaign.policy import DAY, HOUR


def imported_anew() -> ModuleType:
    """Return another copy of the module, as a process has it that imports it now."""
    spec = importlib.util.spec_from_file_location("late_wallclock", wallclock.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_real_time_is_real_even_if_it_is_first_asked_for_while_time_is_frozen() -> None:
    before = time.time_ns() // 1_000_000
    with freeze_time(datetime(2001, 1, 1, tzinfo=UTC)):
        late = imported_anew()
        assert late.now() < before - DAY, "frozen"
        assert abs(late.real_now() - before) < HOUR


def test_real_time_goes_on_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    before, awake = wallclock.real_now(), wallclock.seconds
    monkeypatch.setattr(wallclock, "seconds", lambda: awake() - 86_400)
    assert abs(wallclock.real_now() - before) < HOUR
