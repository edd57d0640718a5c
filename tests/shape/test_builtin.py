"""The built-in shapes: complete, consistent, and described for users."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockcampaign.model import EventType
from mockcampaign.shape.builtin import (
    ALTERNATIVES,
    DEFAULTS,
    FIELDS,
    TYPES_WITH_ORIGIN,
    Path,
    builtin_shape,
)
from mockcampaign.shape.field import Role, leaves
from places import documentation


@pytest.mark.parametrize("kind", EventType)
def test_the_example_of_a_shape_has_its_fields_in_their_order(kind: EventType) -> None:
    shape = builtin_shape(kind)
    [example] = shape.examples
    assert dict(leaves(example)) == {field.path: field.example for field in shape.fields}
    assert tuple(path for path, _ in leaves(example)) == DEFAULTS[kind]
    assert shape.get(example, Role.TYPE) == kind
    assert shape.is_own_type(example)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_an_alternative_changes_the_types_that_it_names_and_no_others(alternative: str) -> None:
    changed = dict(ALTERNATIVES[alternative])
    for kind in EventType:
        paths = tuple(field.path for field in builtin_shape(kind, alternative).fields)
        assert paths == changed.get(kind, DEFAULTS[kind])
        assert (paths != DEFAULTS[kind]) is (kind in changed)


# For users


def types_of(path: Path) -> str:
    """Return which events have the field."""
    having = {kind for kind, paths in DEFAULTS.items() if path in paths}
    known = {
        frozenset(EventType): "all",
        frozenset(EventType) - {EventType.OPEN}: "all but `open`",
        TYPES_WITH_ORIGIN: "those that a person or machine causes",
        frozenset(): "none by default",
    }
    return known.get(frozenset(having)) or ", ".join(f"`{kind}`" for kind in EventType if kind in having)


def table() -> Iterator[str]:
    yield "| field | events | source | meaning |"
    yield "|---|---|---|---|"
    for path, field in FIELDS.items():
        words = f" One of {', '.join(f'`{word}`' for word in field.values)}." if field.values else ""
        yield f"| `{'.'.join(path)}` | {types_of(path)} | {field.source} | {field.meaning}{words} |"


def test_the_readme_has_every_field_with_its_source() -> None:
    expected = "\n".join(table())
    assert expected in documentation(), f"the table of fields should be:\n{expected}"
