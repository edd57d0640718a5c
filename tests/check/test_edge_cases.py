"""Edge cases of what identifies a mail are one bench's own, and the same edge cases otherwise."""

from __future__ import annotations

import pytest

from checks import NOW
from foreign_shapes import SHAPES
from mockcampaign.check.bench.context import RuleSlot
from mockcampaign.check.bench.events import EventFactory
from mockcampaign.check.edge_cases import (
    ALL,
    EdgeCase,
    control_characters,
    cut_characters,
    own_variant,
    recipient_ids,
    unstorable,
)
from mockcampaign.check.settings import Settings
from mockcampaign.judging.equivalents import comparable_key
from mockcampaign.model import EventType
from mockcampaign.policy import INT64_MAX
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import Role, Value
from mockcampaign.shape.shape import Shape

KINDS = (*ALL, control_characters, cut_characters, unstorable)
WITHOUT_VARIANT = {
    *("0", "null", "true", "false", "NaN", "constructor", "__proto__", "toString", "hasOwnProperty"),
}
ONE, OTHER = 123_456_789, 987_654_321


def of_key(shape: Shape) -> list[EdgeCase]:
    [key, *_] = shape.key_fields
    return [case for make in KINDS for case in make(shape) if case.path == key.path and case.value is not None]


@pytest.mark.parametrize("name", ["recipient-only", "recipient-number", "recipient-and-mailing"])
def test_values_of_a_key_are_one_benchs_own(name: str) -> None:
    shape = SHAPES[name]
    cases = of_key(shape)
    assert len(cases) >= 4
    for case in cases:
        one, other = own_variant(case, shape, ONE), own_variant(case, shape, OTHER)
        if case.value in WITHOUT_VARIANT:
            assert (one, other) == (None, None)
            continue
        assert one is not None, case
        assert other is not None, case
        assert comparable_key((one.value,)) != comparable_key((other.value,))
        assert {type(one.value), type(other.value)} == {type(case.value)}
        assert one.is_like(case)
        assert one.is_like(other)


def test_numbers_stay_as_wide() -> None:
    shape = SHAPES["recipient-number"]
    own = {case.value: own_variant(case, shape, ONE) for case in of_key(shape)}
    found = {value: case.value for value, case in own.items() if case is not None and isinstance(value, int)}
    assert 2**31 <= found[2**31] < 2**32 < found[2**32 + 1] < 2**53
    assert int(float(found[2**53 + 1])) != found[2**53 + 1]
    assert found[2**53 + 1] < 2**62 < found[INT64_MAX] <= INT64_MAX
    assert int(float(found[INT64_MAX])) != found[INT64_MAX]


def test_where_mails_have_an_id_every_edge_case_stays() -> None:
    shape = builtin_shape(EventType.CLICK)
    cases = [case for make in KINDS for case in make(shape)]
    assert [own_variant(case, shape, ONE) for case in cases] == cases
    assert any(case in cases for case in recipient_ids(shape))


def test_different_edge_cases_are_not_alike() -> None:
    cases = [case for make in KINDS for case in make(SHAPES["recipient-only"])]
    alike = [(one, other) for one in cases for other in cases if one.is_like(other) and one != other]
    assert alike == []


def test_no_two_events_of_a_check_share_a_recipient_by_chance() -> None:
    """Of 60,000 recipients with nine digits, two are equal in most checks."""
    shape = SHAPES["recipient-number"]
    taken: set[Value] = set()
    settings = Settings(now=NOW, seed=1, shape=shape)
    recipients: list[Value] = []
    for rule in ("one", "other"):
        factory = EventFactory(RuleSlot(rule_id=rule, start=NOW, number=1), settings, lambda: NOW, taken)
        recipients += [shape.get(event, Role.RECIPIENT) for event in factory.events(30_000, shape, {})]
    assert len(set(recipients)) == len(recipients) == len(taken)
