"""Only words depend on words: with nonsense for every text, verdict, identities, grouping and colours are the same."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

import msgspec
import pytest

from checks import checked
from mockcampaign.check.baseline import Known, gone
from mockcampaign.judging.fact import AnyFact, identity_of
from mockcampaign.judging.verdict import RunResult, exit_status, verdict_of
from mockcampaign.report import advice, sentences
from mockcampaign.report.check_text import check_lines, headline_lines
from mockcampaign.report.columns import Style
from mockcampaign.samples.consumer import consumer_app

RULES = (
    *("responds-200", "accepts-every-batch-size", "stores-repeat-engagement", "deduplicates-on-all-fields"),
    *("once-after-lost-response", "accepts-absent-fields", "stores-text-unchanged", "newest-event-wins"),
)
BUGS = (None, "dedup-key-mail-id", "responds-207", "truncates-text-at-40", "requires-device", "never-deduplicates")


@functools.cache
def checked_plainly(bug: str | None) -> RunResult:
    return checked(consumer_app(bug), rules=RULES)


def nonsense(text: str) -> str:
    """Return a text of which no word is left, with its placeholders."""
    return re.sub(r"[A-Za-z]+(?![^{]*})", "blah", text)


def speak_nonsense(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace every text of the words module, and all advice."""
    tables = [
        name for name, value in vars(sentences).items() if isinstance(value, Mapping) and not name.startswith("__")
    ]
    assert {"SITUATIONS", "CONFIRMATIONS", "PRECONDITIONS"} <= set(tables)
    for name in tables:
        table = getattr(sentences, name)
        if all(isinstance(value, str) for value in table.values()):
            monkeypatch.setattr(sentences, name, {key: nonsense(value) for key, value in table.items()})
    for name in ("actual", "headline", "difference"):
        say = getattr(sentences, name)
        monkeypatch.setattr(sentences, name, lambda found, say=say: re.sub("[A-Za-z]+", "blah", say(found)))
    monkeypatch.setattr(advice, "_of", lambda fact: iter((advice.Advice("blah"),)))


def shapes(result: RunResult) -> list[tuple[Style, ...]]:
    """Return the styles of each line on a terminal as wide as need be, in order."""
    lines = [*check_lines(result, verbosity=1), *headline_lines(result)]
    return [tuple(style for _, style in line) for line in lines if not only_faint(line)]


def only_faint(line: list[tuple[str, Style]]) -> bool:
    """Whether a line is the continuation of a wrapped text, of which longer words need more."""
    return bool(line) and line[0][0].isspace() and len(line) == 2


def decided(result: RunResult) -> object:
    """Return all that a result decides, less the words."""
    return [
        (one.id, one.outcome, one.identity, one.known, one.evidence, [type(fact) for fact in one.facts])
        for one in result.rules
    ]


@pytest.mark.parametrize("bug", BUGS)
def test_words_decide_nothing(bug: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = checked_plainly(bug)
    with monkeypatch.context() as patched:
        speak_nonsense(patched)
        other = checked(consumer_app(bug), rules=RULES)
        texts = {one.actual for one in other.rules}
        assert not any(re.search("(?i)batch|event|respond", text) for text in texts if text), texts
    assert decided(plain) == decided(other)
    assert (verdict_of(plain), exit_status(plain)) == (verdict_of(other), exit_status(other))
    assert shapes(plain) == shapes(other)


def test_a_baseline_survives_any_wording(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = checked_plainly("dedup-key-mail-id")
    wrong = [one for one in plain.rules if one.outcome in ("fail", "warn")]
    assert wrong
    known = tuple(Known(one.id, one.identity) for one in wrong)
    with monkeypatch.context() as patched:
        speak_nonsense(patched)
        again = checked(consumer_app("dedup-key-mail-id"), rules=RULES, known=known)
    assert {one.id for one in again.rules if one.known} == {one.id for one in wrong}
    assert (again.compliant, again.gone) == (True, ())
    assert gone(known, [], [one.id for one in wrong]) == ()


def test_every_kind_of_fact_has_words_and_comes_back_from_json() -> None:
    """Whatever a check of the samples has found is the same value after a journey through a report."""
    for bug in BUGS:
        for finding in checked_plainly(bug).rules:
            encoded = msgspec.json.encode(finding.facts)
            facts = msgspec.json.decode(encoded, type=tuple[AnyFact, ...])
            assert facts == finding.facts
            assert sentences.actual(facts) == finding.actual
            if finding.identity is not None:
                assert identity_of(facts) == finding.identity
