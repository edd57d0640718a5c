"""Something that the consumer needs is broken and restored while batches arrive."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks import checked
from judged import breaking
from mockcampaign.check.rules import durability
from mockcampaign.judging.fact import LostWhileBroken, Needs
from mockcampaign.judging.finding import Finding
from mockcampaign.samples.consumer import consumer_app

RULE = "stores-acknowledged-while-broken"


@pytest.fixture(autouse=True)
def _shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durability, "BROKEN", 60)
    monkeypatch.setattr(durability, "BEFORE_BROKEN", 30)


def found_in(bug: str | None, store: Path, **commands: str) -> Finding:
    given = breaking(str(store)) | commands
    [found] = checked(consumer_app(bug, store=store), rules=(RULE,), **given).rules
    return found


def test_a_consumer_that_rejects_what_it_cannot_store_is_compliant(tmp_path: Path) -> None:
    found = found_in(None, tmp_path / "store")
    assert found.outcome == "pass", found.actual
    assert not found.actual.endswith(": 0")  # the command did break it


def test_what_was_acknowledged_while_the_store_was_broken_is_missing(tmp_path: Path) -> None:
    found = found_in("acknowledges-without-store", tmp_path / "store")
    assert (found.outcome, found.identity) == ("fail", "lost-while-broken")
    [fact] = found.facts
    assert isinstance(fact, LostWhileBroken)
    assert 0 < fact.lost < fact.events
    assert found.actual.startswith(f"{fact.lost} of {fact.events} events that it acknowledged around the fault")
    assert found.reproduce is not None
    assert "--break-cmd" in (found.reproduce.without_curl or "")


@pytest.mark.parametrize("failing", ["break_command", "restore_command"])
def test_a_command_that_fails_is_no_violation(tmp_path: Path, failing: str) -> None:
    found = found_in(None, tmp_path / "store", **{failing: "false"})
    assert found.outcome == "could-not-tell"
    assert found.actual == f"{failing.partition('_')[0].capitalize()} command false: ended with status 1"


def test_without_commands_the_rule_is_skipped() -> None:
    [found] = checked(consumer_app(), rules=(RULE,)).rules
    assert found.facts == (Needs(need="break command"),)
