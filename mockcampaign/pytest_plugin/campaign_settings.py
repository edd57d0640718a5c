"""The settings of a test's campaign: from the command line, the ini file and the test's markers."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mockcampaign.clients.definitions import ClientDefinition
from mockcampaign.double.arguments import check_values
from mockcampaign.double.control.home import CampaignSettings
from mockcampaign.double.control.violations import NOTHING_DELIVERED
from mockcampaign.double.inputs import clients_of
from mockcampaign.durations import parse_duration, parse_moment
from mockcampaign.errors import InvalidInputError, MisuseError
from mockcampaign.judging.earlier.baseline import Known, of_scenario, read_baseline
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_START, INT64_MAX, Policy
from mockcampaign.shape.shape import Shape, by_type
from mockcampaign.text import unknown

_BASELINE = pytest.StashKey[tuple[Known, ...]]()
_RANDOM_SEED = pytest.StashKey[int]()


def load_baseline(config: pytest.Config, path: str) -> None:
    """Read the baseline that all tests of the run share. Raise `pytest.UsageError` if the file is none."""
    try:
        config.stash[_BASELINE] = read_baseline(Path(path))
    except InvalidInputError as error:
        raise pytest.UsageError(f"--mockcampaign-baseline {error}") from None


def baseline_of(config: pytest.Config) -> tuple[Known, ...]:
    """Return what the baseline of the run accepts: nothing without one."""
    return config.stash.get(_BASELINE, ())


def settings_of(item: pytest.Item) -> CampaignSettings:
    """Return the settings of a test's campaign. Of several markers, the closest one wins."""
    marked: dict[str, Any] = {}
    allow: set[str] = set()
    for marker in reversed(list(item.iter_markers("mockcampaign"))):
        if marker.args or not marker.kwargs.keys() <= {"allow", "seed", "start", "policy", "shape", "clients"}:
            raise pytest.UsageError(
                f"{item.nodeid}: @pytest.mark.mockcampaign({', '.join((*map(repr, marker.args), *marker.kwargs))}), "
                "allowed: allow=[rule ids], seed=number, start=moment, policy=mockcampaign.Policy(…), shape=file, "
                "clients=file"
            )
        try:
            check_values("marker", marker.kwargs)
        except MisuseError as error:
            raise pytest.UsageError(f"{item.nodeid}: {error}") from None
        marked |= marker.kwargs
        allow |= set(marker.kwargs.get("allow", ()))
    settings = settings_for(
        item.config,
        item.nodeid,
        allow=allow,
        seed=marked.get("seed"),
        start=marked.get("start"),
        policy=marked.get("policy"),
    )
    shapes = _shapes(item, marked["shape"]) if "shape" in marked else {}
    clients = _clients(item, marked["clients"]) if "clients" in marked else {}
    return msgspec.structs.replace(settings, shapes=shapes, clients=clients)


def settings_for(
    config: pytest.Config,
    name: str,
    *,
    allow: Collection[str],
    seed: int | None,
    start: str | datetime | None,
    policy: Policy | None,
) -> CampaignSettings:
    """Return the settings of a campaign; `name` is its test, from which its seed may be made."""
    try:
        check_allowed(allow)
    except InvalidInputError as error:
        raise pytest.UsageError(f"{name}: {error}") from None
    return CampaignSettings(
        seed=choose_seed(config, name, seed),
        start=_start(name, start),
        policy=policy or Policy(),
        run_timeout=_run_timeout(config),
        allow=frozenset(allow),
        known=of_scenario(baseline_of(config), name, name.partition("::")[0]),
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


def _clients(item: pytest.Item, marked: object) -> dict[int, ClientDefinition]:
    """Return the contents of clients: of a file, relative to the test's folder, or as definitions."""
    try:
        return clients_of(marked, item.path.parent)
    except (InvalidInputError, MisuseError) as error:
        raise pytest.UsageError(f"{item.nodeid}: {error}") from None


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


def choose_seed(config: pytest.Config, name: str, marked: int | None) -> int:
    """Return the seed from the command line, or else from the test's marker, or else from the ini file."""
    option = config.getoption("--mockcampaign-seed")
    chosen = str(option if option is not None else config.getini("mockcampaign_seed") if marked is None else marked)
    if chosen == "test":
        return zlib.crc32(name.encode())
    if chosen == "random":
        base = config.stash.setdefault(_RANDOM_SEED, secrets.randbits(31))
        return zlib.crc32(f"{base} {name}".encode())
    if not chosen.isdecimal() or int(chosen) > INT64_MAX:
        raise pytest.UsageError(f"mockcampaign seed {chosen!r}, allowed: 0 to {INT64_MAX}, 'random' or 'test'")
    return int(chosen)


def _start(name: str, marked: str | datetime | None) -> int:
    if marked is None:
        return DEFAULT_START
    try:
        return parse_moment(marked if isinstance(marked, str) else marked.isoformat())
    except InvalidInputError as error:
        raise pytest.UsageError(f"{name}: start: {error}") from None


def _run_timeout(config: pytest.Config) -> int:
    option = config.getoption("--mockcampaign-run-timeout")
    try:
        return parse_duration(config.getini("mockcampaign_run_timeout") if option is None else option)
    except InvalidInputError as error:
        raise pytest.UsageError(f"mockcampaign run timeout: {error}") from None
