"""Files of accepted violations: what they hold, how they are read back, and what they accept."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import exporter
from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.earlier.baseline import (
    Known,
    gone,
    marked,
    of_check,
    of_scenario,
    read_baseline,
    to_baseline,
    violations_of,
)
from mockcampaign.judging.verdict import RunResult, run_result
from results import finding, scenario

WRONG = (
    finding("opens.delivered", "fail", identity="3", actual="2 of\n3"),
    finding("clicks.delivered", "warn", identity='at least "5"', actual="x" * 1_000),
    finding("opens.delivered", "fail", identity="3", actual="2, once more"),
    finding("opens.attempts"),
    finding("test", "fail", actual="assert 1 == 2"),
)


def result() -> RunResult:
    return run_result([scenario(name="one", findings=WRONG, journal=exporter().journal.entries)])


def file_of(folder: Path, content: str | bytes) -> Path:
    path = folder / "accepted.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_baseline_holds_one_block_for_each_violation_and_nothing_else(tmp_path: Path) -> None:
    accepted = [one for one in violations_of(result()) if one.identity is not None]
    written = to_baseline(accepted)
    assert written.decode() == (
        "# Violations that are accepted, written by `mockcampaign baseline write`.\n"
        "# Remove a block when its violation is fixed. The sentence only explains; rule and identity decide.\n"
        "\n"
        "format = 1\n"
        "\n"
        "[[accepted]]\n"
        'scenario = "one"\n'
        'rule = "clicks.delivered"\n'
        'identity = "at least \\"5\\""\n'
        f'sentence = "{"x" * 300}…"\n'
        "\n"
        "[[accepted]]\n"
        'scenario = "one"\n'
        'rule = "opens.delivered"\n'
        'identity = "3"\n'
        'sentence = "2 of\\\\n3"\n'
    )
    assert list(read_baseline(file_of(tmp_path, written))) == accepted


def test_a_baseline_does_not_depend_on_the_order_of_findings() -> None:
    def written(findings: tuple[object, ...]) -> bytes:
        found = result()
        shuffled = msgspec.structs.replace(found.scenarios[0], expectations=list(findings))
        return to_baseline(violations_of(msgspec.structs.replace(found, scenarios=[shuffled])))

    assert written((WRONG[0], WRONG[1])) == written((WRONG[1], WRONG[0]))


def test_what_a_check_violates_belongs_to_no_scenario() -> None:
    wrong = finding("stores-fields-unchanged", "fail", identity="altered(created)")
    checked = msgspec.structs.replace(result(), rules=[wrong], headline="1 rule violated")
    assert violations_of(checked) == (Known(wrong.id, wrong.identity, None, "253"),)


@settings(max_examples=25)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_identity_is_read_back(tmp_path_factory: pytest.TempPathFactory, identity: str) -> None:
    known = Known("rule", identity, identity, identity)
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(to_baseline([known]))
    assert read_baseline(path) == (known,)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"format": 1}', "a report, allowed: the baseline that `mockcampaign baseline write .* -o FILE` makes of it"),
        ("format = 2", "a baseline of format 2, allowed: format 1"),
        ("", "no baseline: Object missing required field `format`, allowed: a file that `mockcampaign baseline write`"),
        ("[[accepted", "no baseline: Expected ']]' at the end of an array declaration"),
        (b"\xff", "no baseline: 'utf-8' codec can't decode byte 0xff"),
        ("format = " + "[" * 5_000, "no baseline: "),
        ('format = 1\n[[accepted]]\nrule = "a"', "no baseline: Object missing required field `identity` - at "),
        ('format = 1\n[[accepted]]\nrule = "a"\nidentity = "b"\nwhy = "c"', "no baseline: .* unknown field `why`"),
    ],
)
def test_what_is_no_baseline_is_one_line(tmp_path: Path, content: str | bytes, why: str) -> None:
    with pytest.raises(InvalidInputError, match=f"accepted.toml: {why}") as caught:
        read_baseline(file_of(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_a_violation_is_accepted_by_rule_identity_and_scenario() -> None:
    known = (Known("a", "3", "one"), Known("a", "4", "one (1.yaml)"), Known("a", "5"), Known("b", "3", "two"))
    assert of_check(known) == (known[2],)
    assert of_scenario(known, "one", "1.yaml") == known[:2]
    assert of_scenario(known, "one", "2.yaml") == known[:1]
    wrong = finding("a", "fail", identity="3")
    assert marked(wrong, of_scenario(known, "one", "2.yaml")).known
    assert not marked(wrong, of_scenario(known, "two", "2.yaml")).known
    assert not marked(finding("a", identity="3"), known).known


def test_an_accepted_violation_is_gone_only_if_its_rule_was_exercised() -> None:
    known = (Known("a", "3", "one"),)
    assert gone(known, [finding("a")], {"a"}) == ("one: a: 3",)
    assert gone(known, [finding("a", "fail", identity="4")], {"a"}) == ("one: a: 3",)
    assert gone(known, [finding("a", "fail", identity="3")], {"a"}) == ()
    assert gone(known, [finding("a", "could-not-tell")], {"a"}) == ()
    assert gone(known, [], set()) == ("one: a: 3",)
