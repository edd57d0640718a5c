"""A scenario file as a plan that is known to make sense: names exist, statuses allow the commands, files are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from mockcampaign.durations import format_duration
from mockcampaign.engine.webhooks import WebhookRegistry
from mockcampaign.errors import InvalidInputError, WebhookError
from mockcampaign.events import Sample, load_sample
from mockcampaign.policy import DAY
from mockcampaign.scenario import language
from mockcampaign.scenario.document import Document, Location, unknown

SUFFIX = ".scenario.yaml"

VIRTUAL_TIME_MAX = 36_600 * DAY
"""Longer runs are typing errors, and would leave the calendar."""


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an `expect` step."""

    subject: str
    """A webhook's name, or `consumer`."""
    field: str
    wanted: Any
    place: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do, in order."""

    kind: str
    """A key of `language.STEPS`."""
    value: Any
    place: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that passed every check that can be made before it runs."""

    path: Path
    scenario: language.Scenario
    steps: tuple[Step, ...]
    samples: dict[str, Sample]
    """Captured events by the name under `like`."""

    @property
    def label(self) -> str:
        """Tells its run from those of other scenarios, on every machine."""
        return f"{self.path.name}: {self.scenario.name}"

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """All of them, in order."""
        return tuple(expectation for step in self.steps if step.kind == "expect" for expectation in step.value)


def find_scenarios(paths: tuple[Path, ...]) -> list[Path]:
    """The scenario files that the paths name or, for folders, hold at any depth.

    Raises `InvalidInputError` where a path does not exist, or a path holds none.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob(f"*{SUFFIX}"))
            if not inside:
                raise InvalidInputError(f"{path}: no *{SUFFIX} file in this folder")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise InvalidInputError(f"{path}: does not exist, allowed: a scenario file, or a folder of *{SUFFIX} files")
    return list(dict.fromkeys(found))


def load(path: Path, *, must_emit: bool = True) -> Plan:
    """Read and check a scenario file. Raises `InvalidInputError` with file:line:column.

    One that emits nothing shows nothing, so it is refused unless `must_emit` is False.
    """
    document = Document(path)
    return _Check(document, document.read(language.Scenario), path).plan(must_emit)


class _Check:
    """Walks the steps once, with the same registry that a run would use: what it would refuse is refused here."""

    def __init__(self, document: Document, scenario: language.Scenario, path: Path) -> None:
        self._document = document
        self._scenario = scenario
        self._path = path
        self._registry = WebhookRegistry(scenario.policy.policy().webhooks_per_client_max)
        self._ids: dict[str, tuple[int, int]] = {}
        self._samples: dict[str, Sample] = {}
        self._emits = False
        self._passes = 0
        """Milliseconds that the steps let pass, at most."""

    def plan(self, must_emit: bool) -> Plan:
        for name, webhook in self._scenario.webhooks.items():
            self._create(("webhooks", name), name, webhook)
        if not self._scenario.steps:
            raise self._document.problem(("steps",), f"no steps, allowed: {', '.join(language.STEPS)}")
        steps = tuple(
            self._step(("steps", index, kind), kind, value) for index, (kind, value) in enumerate(self._scenario.steps)
        )
        if must_emit and not self._emits:
            raise self._document.problem(
                ("steps",), "no step emits events, so there is nothing to deliver; add `emit` or `mailing`"
            )
        return Plan(path=self._path, scenario=self._scenario, steps=steps, samples=self._samples)

    def _step(self, at: Location, kind: str, value: Any) -> Step:
        match kind:
            case "create":
                for name, webhook in value.items():
                    self._create((*at, name), name, webhook)
            case "update":
                for name in value:
                    self._command((*at, name), "update", name)
            case "activate" | "deactivate" | "delete":
                self._command(at, kind, value)
            case "emit":
                value = self._emit(at, value)
                self._pass(at, value.over)
            case "mailing":
                self._emits = True
            case "outage" | "fault":
                if value.webhook is not None:
                    self._known((*at, "webhook"), value.webhook)
                if kind == "outage":
                    self._pass(at, value.duration)
            case "advance":
                self._pass(at, value)
            case "probe":
                self._needs_probe(at)
            case "expect":
                value = tuple(self._expectations(at, value))
        return Step(kind=kind, value=value, place=self._document.place(at))

    def _pass(self, at: Location, duration: int) -> None:
        self._passes += duration
        if self._passes > VIRTUAL_TIME_MAX:
            raise self._document.problem(
                at, f"more virtual time than a run may take, allowed: {format_duration(VIRTUAL_TIME_MAX)} for all steps"
            )

    def _create(self, at: Location, name: str, webhook: language.Webhook) -> None:
        if name == "consumer":
            raise self._document.problem(at, "a webhook cannot be called 'consumer', which `expect` means otherwise")
        if name in self._ids:
            raise self._document.problem(at, f"webhook {name!r} exists already")
        try:
            created = self._registry.create(webhook.client, webhook.type, webhook.url or "", now=0)
        except WebhookError as error:
            raise self._document.problem(at, str(error)) from None
        self._ids[name] = (webhook.client, created.id)

    def _command(self, at: Location, command: str, name: str) -> None:
        client_id, webhook_id = self._known(at, name)
        try:
            getattr(self._registry, command)(client_id, webhook_id, now=0)
        except WebhookError as error:
            message = str(error).replace(f"webhook {webhook_id}", f"webhook {name!r}")
            raise self._document.problem(at, message) from None

    def _known(self, at: Location, name: str) -> tuple[int, int]:
        if name not in self._ids:
            raise self._document.problem(at, unknown("webhook", name, self._ids))
        return self._ids[name]

    def _emit(self, at: Location, emit: language.Emit) -> language.Emit:
        self._emits = True
        if emit.like is None:
            return emit
        if emit.like not in self._samples:
            try:
                self._samples[emit.like] = load_sample(self._path.parent / emit.like)
            except InvalidInputError as error:
                raise self._document.problem((*at, "like"), str(error)) from None
        sample_type = self._samples[emit.like].event_type
        if sample_type is None and emit.type is None:
            raise self._document.problem((*at, "like"), f"{emit.like} holds no type of ours; name it with key 'type'")
        if sample_type is not None and emit.type not in (None, sample_type):
            raise self._document.problem(
                (*at, "type"), f"type {emit.type.value!r}, but {emit.like} holds {sample_type.value!r} events"
            )
        return msgspec.structs.replace(emit, type=sample_type or emit.type)

    def _expectations(self, at: Location, value: dict[str, msgspec.Struct]) -> list[Expectation]:
        expectations = []
        for subject, fields in value.items():
            if subject != "consumer":
                if subject not in self._ids:
                    raise self._document.problem((*at, subject), unknown("webhook", subject, [*self._ids, "consumer"]))
            else:
                self._needs_probe((*at, subject))
            for field, wanted in msgspec.structs.asdict(fields).items():
                if wanted is not None:
                    where = self._document.place((*at, subject, field))
                    expectations.append(Expectation(subject=subject, field=field, wanted=wanted, place=where))
        if not expectations:
            raise self._document.problem(at, "expects nothing, allowed: at least one expectation")
        if "processed" in [expectation.field for expectation in expectations]:
            probe = self._scenario.consumer.probe
            for expectation in expectations:
                if isinstance(expectation.wanted, str) and probe is not None and probe.events is None:
                    raise self._document.problem(
                        (*at, "consumer", "processed"),
                        f"{expectation.wanted} needs `events` in the consumer's probe; with `count`, allowed: a number",
                    )
        return expectations

    def _needs_probe(self, at: Location) -> None:
        if self._scenario.consumer.probe is None:
            raise self._document.problem(at, "the consumer has no `probe` that could tell what it has processed")
