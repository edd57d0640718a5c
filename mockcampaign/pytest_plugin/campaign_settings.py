"""The settings of a test's campaign: from the command line, the ini file and the test's markers."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mockcampaign.durations import parse_duration, parse_moment
from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_START, INT64_MAX, Policy
from mockcampaign.pytest_plugin.control.home import CampaignSettings
from mockcampaign.pytest_plugin.control.violations import NOTHING_DELIVERED
from mockcampaign.shape.shape import Shape, by_type
from mockcampaign.text import unknown

_RANDOM_SEED = pytest.StashKey[int]()


def settings_of(item: pytest.Item) -> CampaignSettings:
    """Return the settings of a test's campaign. Of several markers, the closest one wins."""
    marked: dict[str, Any] = {}
    allow: set[str] = set()
    for marker in reversed(list(item.iter_markers("mockcampaign"))):
        if marker.args or not marker.kwargs.keys() <= {"allow", "seed", "start", "policy", "shape"}:
            raise pytest.UsageError(
                f"{item.nodeid}: @pytest.mark.mockcampaign({', '.join((*map(repr, marker.args), *marker.kwargs))}), "
                "allowed: allow=[rule ids], seed=number, start=moment, policy=mockcampaign.Policy(…), shape=file"
            )
        marked |= marker.kwargs
        allow |= set(marker.kwargs.get("allow", ()))
    try:
        check_allowed(allow)
    except InvalidInputError as error:
        raise pytest.UsageError(f"{item.nodeid}: {error}") from None
    policy = marked.get("policy", Policy())
    if not isinstance(policy, Policy):
        raise pytest.UsageError(f"{item.nodeid}: policy: {policy!r}, allowed: mockcampaign.Policy(…)")
    return CampaignSettings(
        seed=choose_seed(item, marked.get("seed")),
        start=_start(item, marked.get("start")),
        policy=policy,
        run_timeout=_run_timeout(item.config),
        shapes=_shapes(item, marked["shape"]) if "shape" in marked else {},
        allow=frozenset(allow),
    )


def _shapes(item: pytest.Item, marked: object) -> dict[EventType, Shape]:
    """Return the shapes by type: of a file, relative to the test's folder, of a shape, or of several of them."""
    # Imported here because few tests need the scenario language.
    from mockcampaign.scenario.shape_file import read_shapes

    shapes: list[Shape] = []
    try:
        for one in marked if isinstance(marked, list | tuple) else [marked]:
            if isinstance(one, str | Path):
                shapes += read_shapes(item.path.parent / one)
            elif isinstance(one, Shape):
                shapes.append(one)
            else:
                raise InvalidInputError(f"{one!r}, allowed: a file of captured events, a Shape, or a list of them")
        return by_type(shapes)
    except InvalidInputError as error:
        raise pytest.UsageError(f"{item.nodeid}: shape: {error}") from None


def check_allowed(rule_ids: Collection[str]) -> None:
    """Raises `InvalidInputError` for an id that is not the id of a rule."""
    known = [*(rule.id for rule in JOURNAL_RULES), NOTHING_DELIVERED]
    if set(rule_ids) <= set(known):
        return
    # Imported here because it imports Hypothesis.
    from mockcampaign.check.rules import CATALOGUE

    known = list(dict.fromkeys([*known, *(rule.id for rule in CATALOGUE)]))
    for rule_id in rule_ids:
        if rule_id not in known:
            raise InvalidInputError(f"allow: {unknown('rule', str(rule_id), known)}")


def choose_seed(item: pytest.Item, marked: int | None) -> int:
    """Return the seed from the command line, or else from the test's marker, or else from the ini file."""
    config = item.config
    option = config.getoption("--mockcampaign-seed")
    chosen = str(option if option is not None else config.getini("mockcampaign_seed") if marked is None else marked)
    if chosen == "test":
        return zlib.crc32(item.nodeid.encode())
    if chosen == "random":
        base = config.stash.setdefault(_RANDOM_SEED, secrets.randbits(31))
        return zlib.crc32(f"{base} {item.nodeid}".encode())
    if not chosen.isdecimal() or int(chosen) > INT64_MAX:
        raise pytest.UsageError(f"mockcampaign seed {chosen!r}, allowed: 0 to {INT64_MAX}, 'random' or 'test'")
    return int(chosen)


def _start(item: pytest.Item, marked: str | datetime | None) -> int:
    if marked is None:
        return DEFAULT_START
    try:
        return parse_moment(marked if isinstance(marked, str) else marked.isoformat())
    except InvalidInputError as error:
        raise pytest.UsageError(f"{item.nodeid}: start: {error}") from None


def _run_timeout(config: pytest.Config) -> int:
    option = config.getoption("--mockcampaign-run-timeout")
    try:
        return parse_duration(config.getini("mockcampaign_run_timeout") if option is None else option)
    except InvalidInputError as error:
        raise pytest.UsageError(f"mockcampaign run timeout: {error}") from None
