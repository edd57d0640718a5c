"""A scenario file as plans that are known to make sense: names exist, statuses allow the commands, files are there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from mockcampaign.durations import format_duration
from mockcampaign.engine.journal import Happened
from mockcampaign.engine.journal_file import load_journals
from mockcampaign.engine.webhooks import WebhookRegistry
from mockcampaign.errors import InvalidInputError, WebhookError
from mockcampaign.events import Sample, load_sample
from mockcampaign.policy import DAY
from mockcampaign.scenario.language import nodes
from mockcampaign.scenario.language import steps as language
from mockcampaign.scenario.language.annotations import Shared
from mockcampaign.scenario.language.document import Document, Location
from mockcampaign.text import unknown

SUFFIX = ".scenario.yaml"

VIRTUAL_TIME_MAX = 36_600 * DAY
"""Longer runs are typing errors, and would leave the calendar."""


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an `expect` or `wait` step."""

    subject: str
    """A webhook's name, or `consumer`."""
    field: str
    wanted: Any
    place: str
    by: tuple[str, ...] | None = None
    """The fields by which events are compared."""


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """A `wait` step."""

    expectations: tuple[Expectation, ...]
    duration: int


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A `replay` step."""

    happened: tuple[tuple[int, Happened], ...]
    """What happened, each with the milliseconds since its journal began."""
    client: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do, in order."""

    kind: str
    """A key of `language.STEPS`."""
    value: Any
    place: str

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """What it expects; nothing where it is another kind of step."""
        match self.kind:
            case "expect":
                expectations: tuple[Expectation, ...] = self.value
            case "wait":
                expectations = self.value.expectations
            case _:
                expectations = ()
        return expectations


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that passed every check that can be made before it runs, with one value for each key of its matrix."""

    path: Path
    scenario: language.Scenario
    steps: tuple[Step, ...]
    samples: dict[str, Sample]
    """Captured events by the name under `like`."""
    files: tuple[Path, ...]
    """All that was read: the scenario's own, what it uses, and samples."""

    @property
    def name(self) -> str:
        """Of the scenario; with the values of its matrix, unless the name itself tells them."""
        return self.scenario.name

    @property
    def label(self) -> str:
        """Tells its run from those of other scenarios, on every machine."""
        return f"{self.path.name}: {self.scenario.name}"

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """All of them, in order."""
        return tuple(expectation for step in self.steps for expectation in step.expectations)


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
    """The one plan of a scenario file. Raises `InvalidInputError` as `load_all` does, and where its matrix makes
    several."""
    plans = load_all(path, must_emit=must_emit)
    if len(plans) > 1:
        raise InvalidInputError(f"{path}: its matrix makes {len(plans)} runs, allowed here: one")
    return plans[0]


def load_all(path: Path, *, must_emit: bool = True) -> list[Plan]:
    """Read and check a scenario file: one plan for each combination of its matrix.

    Raises `InvalidInputError` with file:line:column. A scenario that emits nothing shows nothing, so it is refused
    unless `must_emit` is False.
    """
    root = nodes.compose(path, "a scenario")
    root, used = nodes.with_used(root, path.parent, _SHARED)
    files = (path,) if used is None else (path, used)
    documents = [Document(path, variant) for variant in nodes.variants(root)]
    scenarios: list[language.Scenario] = [document.read(language.Scenario) for document in documents]
    times = Counter(scenario.name for scenario in scenarios)
    plans = []
    for document, scenario in zip(documents, scenarios, strict=True):
        if times[scenario.name] > 1:
            scenario = msgspec.structs.replace(scenario, name=f"{scenario.name} [{document.given}]")
        plans.append(_Check(document, scenario, path).plan(must_emit, files))
    return plans


_SHARED = [
    field.encode_name
    for field in msgspec.structs.fields(language.Scenario)
    if any(isinstance(mark, Shared) for mark in getattr(field.type, "__metadata__", ()))
]


class _Check:
    """Walks the steps once, with the same registry that a run would use: what it would refuse is refused here."""

    def __init__(self, document: Document, scenario: language.Scenario, path: Path) -> None:
        self._document = document
        self._scenario = scenario
        self._path = path
        self._registry = WebhookRegistry(scenario.policy.policy().webhooks_per_client_max)
        self._ids: dict[str, tuple[int, int]] = {}
        self._deleted: set[str] = set()
        self._samples: dict[str, Sample] = {}
        self._journals: list[Path] = []
        self._emits = False
        self._passes = 0
        """Milliseconds that the steps let pass, at most."""

    def plan(self, must_emit: bool, files: tuple[Path, ...]) -> Plan:
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
        samples = tuple(self._path.parent / name for name in self._samples)
        return Plan(
            path=self._path,
            scenario=self._scenario,
            steps=steps,
            samples=self._samples,
            files=(*files, *samples, *self._journals),
        )

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
                if kind == "delete":
                    self._deleted.add(value)
            case "verify":
                value = self._verify(at, value)
            case "emit":
                value = self._emit(at, value)
                self._pass(at, value.over)
            case "mailing":
                self._emits = True
            case "replay":
                value = self._replay(at, value)
                self._pass(at, max(after for after, _ in value.happened))
            case "outage" | "fault":
                if value.webhook is not None:
                    self._known((*at, "webhook"), value.webhook)
                if kind == "outage":
                    self._pass(at, value.duration)
            case "advance":
                self._pass(at, value)
            case "wait":
                expectations = self._expectations((*at, "until"), value.until)
                self._pass(at, value.duration)
                value = Wait(expectations=expectations, duration=value.duration)
            case "probe":
                self._needs_probe(at)
            case "expect":
                value = self._expectations(at, value)
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

    def _verify(self, at: Location, value: str | language.Verify) -> language.Verify:
        verify = language.Verify(webhook=value) if isinstance(value, str) else value
        at = at if isinstance(value, str) else (*at, "webhook")
        self._known(at, verify.webhook)
        if verify.webhook in self._deleted:
            raise self._document.problem(at, f"webhook {verify.webhook!r} is deleted")
        self._emits = True
        return verify

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

    def _replay(self, at: Location, replay: language.Replay) -> Replay:
        self._emits = True
        path = self._path.parent / replay.journal
        try:
            happened = tuple(
                (entry.at - recorded.entries[0].at, entry)
                for recorded in load_journals(path)
                for entry in recorded.entries
                if isinstance(entry, Happened)
            )
        except InvalidInputError as error:
            raise self._document.problem((*at, "journal"), str(error)) from None
        if not happened:
            raise self._document.problem((*at, "journal"), f"{path}: tells of no events")
        self._journals.append(path)
        return Replay(happened=happened, client=replay.client)

    def _expectations(self, at: Location, value: dict[str, msgspec.Struct]) -> tuple[Expectation, ...]:
        expectations: list[Expectation] = []
        for subject, fields in value.items():
            if at[-1] == "until" and subject == "consumer":
                raise self._document.problem(
                    (*at, subject),
                    "`wait` is for webhooks (the consumer's probe has `patience`), allowed: " + ", ".join(self._ids),
                )
            if subject == "consumer":
                self._needs_probe((*at, subject))
            elif subject not in self._ids:
                others = [] if at[-1] == "until" else ["consumer"]
                raise self._document.problem((*at, subject), unknown("webhook", subject, [*self._ids, *others]))
            wanted = {name: value for name, value in msgspec.structs.asdict(fields).items() if value is not None}
            by = wanted.pop("by", None)
            if not wanted:
                allowed = ", ".join(fields.__struct_fields__)
                raise self._document.problem((*at, subject), f"expects nothing, allowed: {allowed}")
            expectations += [
                Expectation(
                    subject=subject,
                    field=name,
                    wanted=value,
                    place=self._document.place((*at, subject, name)),
                    by=by,
                )
                for name, value in wanted.items()
            ]
            self._check_processed((*at, subject, "processed"), wanted.get("processed"))
        if not expectations:
            raise self._document.problem(
                at, "expects nothing, allowed: names of webhooks, with what is expected of each"
            )
        return tuple(expectations)

    def _check_processed(self, at: Location, processed: Any) -> None:
        probe = self._scenario.consumer.probe
        if isinstance(processed, str) and probe is not None and probe.events is None:
            raise self._document.problem(
                at, f"{processed} needs `events` in the consumer's probe; with `count`, allowed: a number"
            )

    def _needs_probe(self, at: Location) -> None:
        if self._scenario.consumer.probe is None:
            raise self._document.problem(at, "the consumer has no `probe` that could tell what it has processed")
