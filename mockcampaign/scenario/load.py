"""Loads scenario files as plans, and checks that names and files exist and that statuses allow the commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, assert_never, cast

import msgspec

from mockcampaign.campaign import NO_MAILING
from mockcampaign.clients.client_store import ClientStore, Ids
from mockcampaign.clients.definitions import ClientDefinition
from mockcampaign.durations import format_duration
from mockcampaign.engine.journal import Happened
from mockcampaign.engine.webhooks import Command, WebhookRegistry, commands_until_deleted, statuses_allowing
from mockcampaign.errors import InvalidInputError, WebhookError
from mockcampaign.events import Sample, load_sample
from mockcampaign.faults import CallFault
from mockcampaign.judging.recorded import VIRTUAL_TIME_MAX, load_journals
from mockcampaign.model import EventType, WebhookStatus
from mockcampaign.scenario.language import nodes
from mockcampaign.scenario.language.annotations import Shared
from mockcampaign.scenario.language.document import Document, Location
from mockcampaign.scenario.language.endpoints import WebhookDefinition
from mockcampaign.scenario.language.event_shape import ShapeDefinition
from mockcampaign.scenario.language.expect import (
    RESERVED,
    ApiExpectation,
    ConsumerExpectation,
    Expected,
    ExpectedValues,
    WebhookExpectation,
)
from mockcampaign.scenario.language.plain_values import Bounds
from mockcampaign.scenario.language.scenario_file import Scenario
from mockcampaign.scenario.language.steps import (
    STEP_KEYS,
    STEPS,
    ActivateStep,
    ActStep,
    AdvanceStep,
    CreateStep,
    DeactivateStep,
    DeleteStep,
    EmitStep,
    ExpectStep,
    FaultStep,
    ForgetStep,
    MailingStep,
    OutageStep,
    ProbeStep,
    ReplayStep,
    RotateStep,
    RunStep,
    SendStep,
    SetUpStep,
    Step,
    SuspendStep,
    UpdateStep,
    VerifyStep,
    WaitStep,
)
from mockcampaign.scenario.plan import (
    EMITTING,
    Action,
    ApiExpected,
    ConsumerExpected,
    EmitExact,
    EmitGenerated,
    EmitRecorded,
    Expect,
    Expectation,
    Plan,
    PlannedStep,
    WaitUntil,
    WebhookExpected,
)
from mockcampaign.scenario.shape_file import read_shapes, shape_in
from mockcampaign.shape.placeholders import require_roles
from mockcampaign.shape.shape import Shape, by_type
from mockcampaign.text import unknown
from mockcampaign.whole_files import check_regular

SUFFIX = ".scenario.yaml"


def find_scenarios(paths: tuple[Path, ...]) -> list[Path]:
    """Return the scenario files that the paths name, and those at any depth in folders that they name.

    Raises `InvalidInputError` if a path does not exist or contains none.
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


def load(path: Path, *, must_emit: bool = True, operations: Collection[str] = (), has_set_up: bool = False) -> Plan:
    """Return the one plan of a scenario file. Raises `InvalidInputError` as `load_all` does, and if the matrix makes
    several."""
    plans = load_all(path, must_emit=must_emit, operations=operations, has_set_up=has_set_up)
    if len(plans) > 1:
        raise InvalidInputError(f"{path}: its matrix makes {len(plans)} runs, allowed here: one")
    return plans[0]


def load_all(
    path: Path, *, must_emit: bool = True, operations: Collection[str] = (), has_set_up: bool = False
) -> list[Plan]:
    """Return the plans of a scenario file: one for each combination of its matrix.

    Raises `InvalidInputError` with file:line:column. A scenario that emits nothing shows nothing, so it is rejected
    unless `must_emit` is False. `operations` are those of the REST API that plays it: without one, nobody calls it, and
    expectations of calls are rejected. So are steps that run a set-up, unless `has_set_up`.
    """
    root = nodes.compose(path, "a scenario")
    root, used = nodes.with_used(root, path.parent, _SHARED)
    files = (path,) if used is None else (path, used)
    documents = [Document(path, variant) for variant in nodes.variants(root)]
    return _plans(documents, path, operations, must_emit=must_emit, has_set_up=has_set_up, files=files)


def plans_in(content: str | dict[str, object], name: str, variables: Mapping[str, str]) -> list[Plan]:
    """Return the plans of a scenario from elsewhere: the text of a scenario file, or its content as decoded JSON.

    Whoever sends it is not the owner of this machine. So it gets the values of `${NAME}` from `variables`, and can name
    neither files nor databases. Raises `InvalidInputError`, which begins with the place, as in `name:line:column` or
    `name.steps[0].emit`.
    """
    if isinstance(content, str):
        root = nodes.compose_text(content.encode("utf-8", "surrogatepass"), name, "a scenario")
    else:
        root = nodes.composed(content, name)
    path = Path(name)
    documents = [Document(path, variant, variables=variables) for variant in nodes.variants(root)]
    return _plans(documents, path, (), must_emit=True, has_set_up=False, files=())


def _plans(
    documents: Sequence[Document],
    path: Path,
    operations: Collection[str],
    *,
    must_emit: bool,
    has_set_up: bool,
    files: tuple[Path, ...],
) -> list[Plan]:
    """Return the plan of each document. Without `files`, they come from elsewhere, and can name none."""
    scenarios: list[Scenario] = [document.read(Scenario) for document in documents]
    times = Counter(scenario.name for scenario in scenarios)
    plans = []
    for document, scenario in zip(documents, scenarios, strict=True):
        if times[scenario.name] > 1:
            scenario = msgspec.structs.replace(scenario, name=f"{scenario.name} [{document.given}]")
        planner = _Planner(document, scenario, path, operations, has_set_up=has_set_up, reads_files=bool(files))
        plans.append(planner.plan(must_emit, files))
    return plans


def expectations_in(
    value: object, name: str, *, webhooks: Collection[str], operations: Collection[str], probe: ProbeKind | None
) -> tuple[Expectation, ...]:
    """Return the expectations that a decoded JSON value describes as an `expect` step does.

    `webhooks` are the names of webhooks, `operations` those of the REST API, and `probe` says what the consumer's probe
    reports. Raises `InvalidInputError`, which begins with the place in the value, as in `name.opens.delivered`.
    """
    document = Document(Path(name), nodes.Variant(node=nodes.composed(value, name), given={}))
    expected: ExpectedValues = document.read(cast(Any, Expected))
    return _Expecting(document, webhooks, operations, probe).expectations((), expected)


_SHARED = [
    field.encode_name
    for field in msgspec.structs.fields(Scenario)
    if any(isinstance(mark, Shared) for mark in getattr(field.type, "__metadata__", ()))
]


ProbeKind = Literal["events", "number"]
"""Whether a probe reports the stored events, or only their number."""


class _Expecting:
    """Reads expectations, and rejects those that nobody could judge."""

    def __init__(
        self,
        document: Document,
        webhooks: Collection[str],
        operations: Collection[str],
        probe: ProbeKind | None,
    ) -> None:
        """`webhooks` are the names of the webhooks, whose number may grow."""
        self._document = document
        self._webhooks = webhooks
        self._operations = operations
        self._probe = probe

    def expectations(self, at: Location, value: ExpectedValues) -> tuple[Expectation, ...]:
        """Return the expectations of an `expect`."""
        expectations: list[Expectation] = []
        for subject, fields in value.items():
            match fields:
                case ConsumerExpectation():
                    expectations.append(self._consumer_expected((*at, subject), fields))
                case WebhookExpectation():
                    expectations += self._webhook_expected((*at, subject), subject, fields, others=["consumer"])
                case _:
                    expectations += self._api_expected((*at, subject), fields)
        self._require_some(at, expectations)
        return tuple(expectations)

    def wait_expectations(self, at: Location, value: ExpectedValues) -> tuple[WebhookExpected | ApiExpected, ...]:
        """Return the expectations of a `wait`."""
        expectations: list[WebhookExpected | ApiExpected] = []
        for subject, fields in value.items():
            match fields:
                case ConsumerExpectation():
                    raise self._document.problem(
                        (*at, subject),
                        "`wait` is for webhooks (the consumer's probe has `settle`), allowed: "
                        f"{', '.join(self._webhooks)}",
                    )
                case WebhookExpectation():
                    expectations += self._webhook_expected((*at, subject), subject, fields, others=[])
                case _:
                    expectations += self._api_expected((*at, subject), fields)
        self._require_some(at, expectations)
        return tuple(expectations)

    def _require_some(self, at: Location, expectations: Sequence[Expectation]) -> None:
        if not expectations:
            raise self._document.problem(at, "expects nothing, allowed: names of webhooks with an expectation each")

    def _webhook_expected(
        self, at: Location, name: str, fields: WebhookExpectation, *, others: list[str]
    ) -> list[WebhookExpected]:
        if name not in self._webhooks:
            raise self._document.problem(at, unknown("webhook", name, [*self._webhooks, *others]))
        claims = fields.claims()
        if not claims:
            allowed = ", ".join(fields.__struct_fields__)
            raise self._document.problem(at, f"expects nothing, allowed: {allowed}")
        return [
            WebhookExpected(webhook=name, key=key, claim=claim, place=self._document.place((*at, key)))
            for key, claim in claims.items()
        ]

    def _consumer_expected(self, at: Location, claim: ConsumerExpectation) -> ConsumerExpected:
        self.needs_probe(at)
        self._check_processed((*at, "processed"), claim.processed)
        return ConsumerExpected(claim=claim, place=self._document.place((*at, "processed")))

    def _api_expected(self, at: Location, claims: ApiExpectation | tuple[ApiExpectation, ...]) -> list[ApiExpected]:
        places = [at] if isinstance(claims, ApiExpectation) else [(*at, index) for index in range(len(claims))]
        expectations = []
        for place, claim in zip(places, (claims,) if isinstance(claims, ApiExpectation) else claims, strict=True):
            self.check_operation(place, claim.operation)
            expectations.append(ApiExpected(claim=claim, place=self._document.place(place)))
        return expectations

    def _check_processed(self, at: Location, processed: str | int | Bounds) -> None:
        if isinstance(processed, str) and self._probe == "number":
            raise self._document.problem(
                at, f"{processed} needs `events` in the consumer's probe; with `count`, allowed: a number"
            )

    def check_operation(self, at: Location, operation: str | None) -> None:
        """Reject what needs calls of the REST API where nobody calls it, or an operation that does not exist."""
        if not self._operations:
            raise self._document.problem(
                at,
                "nobody calls the REST API here: only `mockcampaign serve --scenario` and `mockcampaign drill "
                "provisioning --scenario` receive calls",
            )
        if operation is not None and operation not in self._operations:
            raise self._document.problem((*at, "operation"), unknown("operation", operation, self._operations))

    def needs_probe(self, at: Location) -> None:
        """Reject what needs a probe where there is none."""
        if self._probe is None:
            raise self._document.problem(at, "the consumer has no `probe` that reports the stored events")


class _Planner:
    """Walks the steps once with a registry like that of a run, and rejects whatever the run would reject."""

    def __init__(
        self,
        document: Document,
        scenario: Scenario,
        path: Path,
        operations: Collection[str],
        *,
        has_set_up: bool,
        reads_files: bool,
    ) -> None:
        """`reads_files` says whether the scenario may name files and databases."""
        self._reads_files = reads_files
        self._has_set_up = has_set_up
        self._document = document
        self._scenario = scenario
        self._path = path
        self._registry = WebhookRegistry(scenario.policy.policy().webhooks_per_client_max)
        self._ids: dict[str, tuple[int, int]] = {}
        probe = scenario.consumer.probe
        kind: ProbeKind | None = None if probe is None else "events" if probe.count is None else "number"
        self._expecting = _Expecting(document, self._ids, operations, kind)
        self._deleted: set[str] = set()
        self._samples: dict[tuple[Path, EventType | None], Sample] = {}
        self._journals: list[Path] = []
        self._shapes: dict[EventType, Shape] = {}
        self._shape_files: list[Path] = []
        self._clients: dict[int, ClientStore] = {}
        self._mails: list[str] = []
        """Names of sent mails."""
        self._passes = 0
        """Most milliseconds that the steps let pass."""

    def plan(self, must_emit: bool, files: tuple[Path, ...]) -> Plan:
        if self._scenario.use is not None:
            self._file(("use",), self._scenario.use)
        if self._scenario.consumer.clock is not None:
            self._file(("consumer", "clock"), self._scenario.consumer.clock)
        if not self._reads_files and self._scenario.consumer.probe is not None and self._scenario.consumer.probe.sql:
            raise self._document.problem(
                ("consumer", "probe", "sql"), "names a database, which only a scenario file can do, allowed: 'url'"
            )
        self._check_clients()
        for at, part in self._scenario.shape_parts():
            self._shape(at, part)
        self._check_placeholders()
        for name, webhook in self._scenario.webhooks.items():
            self._create(("webhooks", name), name, webhook)
        if not self._scenario.steps:
            raise self._document.problem(("steps",), f"no steps, allowed: {', '.join(STEPS)}")
        steps = tuple(self._step(index, step) for index, step in enumerate(self._scenario.steps))
        if must_emit and not any(isinstance(step.action, EMITTING) for step in steps):
            raise self._document.problem(
                ("steps",), "no step emits events, so there is nothing to deliver; add `emit`, `mailing` or `send`"
            )
        return Plan(
            path=self._path,
            scenario=self._scenario,
            steps=steps,
            files=tuple(
                dict.fromkeys((*files, *self._shape_files, *(path for path, _ in self._samples), *self._journals))
            ),
            shapes=self._shapes,
        )

    def _shape(self, at: Location, part: str | ShapeDefinition) -> None:
        if isinstance(part, str):
            path = self._file(at, part)
            self._shape_files.append(path)
            try:
                shapes = read_shapes(path)
            except InvalidInputError as error:
                raise self._document.problem(at, str(error)) from None
        else:
            shapes = (shape_in(self._document, part, at),)
        try:
            self._shapes = by_type((*self._shapes.values(), *shapes))
        except InvalidInputError as error:
            raise self._document.problem(at, str(error)) from None

    def _file(self, at: Location, name: str) -> Path:
        """Return the path of a file that the scenario names."""
        if not self._reads_files:
            raise self._document.problem(at, "names a file, which only a scenario file can do")
        return self._path.parent / name

    def _step(self, index: int, step: Step) -> PlannedStep:
        at = ("steps", index, STEP_KEYS[type(step)])
        return PlannedStep(action=self._action(at, step), place=self._document.place(at))

    def _action(self, at: Location, step: Step) -> Action:
        match step:
            case CreateStep():
                for name, webhook in step.webhooks.items():
                    self._create((*at, name), name, webhook)
            case UpdateStep():
                for name in step.changes:
                    self._registry.update(*self._allowed((*at, name), "update", name), now=0)
            case RotateStep():
                if step.webhook is None:
                    self._expecting.check_operation(at, None)
                else:
                    self._existing((*at, "webhook"), step.webhook)
                self._pass(at, step.after)
            case ActivateStep():
                if self._scenario.policy.suspend_after and self._is_activated(at, step.webhook):
                    return step  # it may be suspended by then, which only the run shows
                self._registry.activate(*self._allowed(at, "activate", step.webhook), now=0)
            case DeactivateStep():
                self._registry.deactivate(*self._allowed(at, "deactivate", step.webhook), now=0)
            case DeleteStep():
                self._registry.delete(*self._allowed(at, "delete", step.webhook), now=0)
                self._deleted.add(step.webhook)
            case VerifyStep():
                self._existing((*at, "webhook"), step.webhook)
            case EmitStep():
                self._pass(at, step.over)
                return self._emit(at, step)
            case MailingStep():
                if self._shapes:
                    raise self._document.problem(at, NO_MAILING)
            case SendStep():
                self._send(at, step)
            case ActStep():
                self._act(at, step)
            case SuspendStep():
                self._registry.suspend(*self._allowed(at, "suspend", step.webhook), now=0)
            case ForgetStep():
                self._forget()
            case SetUpStep():
                if not self._has_set_up:
                    raise self._document.problem(
                        at, "there is no set-up here: only `mockcampaign drill provisioning --scenario` runs one"
                    )
            case RunStep():
                pass
            case ReplayStep():
                recorded = self._replay(at, step)
                self._pass(at, recorded.duration)
                return recorded
            case OutageStep():
                self._concerns(at, step.webhook)
                self._pass(at, step.duration)
            case FaultStep():
                self._concerns(at, step.webhook)
                self._check_call_fault(at, step)
            case AdvanceStep():
                self._pass(at, step.duration)
            case WaitStep():
                expectations = self._expecting.wait_expectations((*at, "until"), step.until)
                self._pass(at, step.duration)
                return WaitUntil(expectations=expectations, duration=step.duration)
            case ProbeStep():
                self._expecting.needs_probe(at)
            case ExpectStep():
                return Expect(expectations=self._expecting.expectations(at, step.expected))
            case _:
                assert_never(step)
        return step

    def _forget(self) -> None:
        for name, (client_id, webhook_id) in self._ids.items():
            if name not in self._deleted:
                for command in commands_until_deleted(self._registry.get(client_id, webhook_id).status):
                    getattr(self._registry, command)(client_id, webhook_id, now=0)
                self._deleted.add(name)

    def _client(self, client_id: int) -> ClientStore:
        """Return a client as it will be at the start."""
        if client_id not in self._clients:
            definitions = {client.id: client.definition() for client in self._scenario.clients}
            definition = definitions.get(client_id, ClientDefinition())
            self._clients[client_id] = ClientStore(client_id, "", 0, Ids(1), definition)
        return self._clients[client_id]

    def _check_clients(self) -> None:
        ids = [client.id for client in self._scenario.clients]
        for index, client_id in enumerate(ids):
            if client_id in ids[:index]:
                raise self._document.problem(("clients", index), f"client {client_id} is listed twice, allowed: once")
            try:
                self._client(client_id)
            except InvalidInputError as error:
                raise self._document.problem(("clients", index), str(error)) from None

    def _send(self, at: Location, step: SendStep) -> None:
        try:
            self._client(step.client).find_transactional_mail(step.mail)
        except InvalidInputError as error:
            raise self._document.problem((*at, "mail"), str(error)) from None
        if step.name in self._mails:
            raise self._document.problem((*at, "as"), f"mail {step.name!r} exists already")
        if step.name is not None:
            self._mails.append(step.name)

    def _act(self, at: Location, step: ActStep) -> None:
        if step.mail not in self._mails:
            raise self._document.problem((*at, "mail"), unknown("mail", step.mail, self._mails))
        for key, event_type in (("link", "click"), ("category", "bounce")):
            if getattr(step, key) is not None and step.type != event_type:
                raise self._document.problem((*at, key), f"type {step.type} has none, allowed: type {event_type}")
        self._pass(at, step.after)

    def _pass(self, at: Location, duration: int) -> None:
        self._passes += duration
        if self._passes > VIRTUAL_TIME_MAX:
            raise self._document.problem(
                at, f"more virtual time than a run may have, allowed: {format_duration(VIRTUAL_TIME_MAX)} for all steps"
            )

    def _create(self, at: Location, name: str, webhook: WebhookDefinition) -> None:
        if name in RESERVED:
            raise self._document.problem(at, f"a webhook cannot be called {name!r}, a reserved name in `expect`")
        if name in self._ids:
            raise self._document.problem(at, f"webhook {name!r} exists already")
        try:
            created = self._registry.create(webhook.client, webhook.type, webhook.url or "", now=0)
        except WebhookError as error:
            raise self._document.problem(at, str(error)) from None
        self._ids[name] = (webhook.client, created.id)

    def _allowed(self, at: Location, command: Command, name: str) -> tuple[int, int]:
        """Return the ids of the client and of the webhook, whose status allows the command."""
        client_id, webhook_id = self._existing(at, name)
        status = self._registry.get(client_id, webhook_id).status
        allowed = statuses_allowing(command)
        if status not in allowed:
            raise self._document.problem(
                at, f"cannot {command} webhook {name!r} in status {status}, allowed in: {', '.join(allowed)}"
            )
        return client_id, webhook_id

    def _is_activated(self, at: Location, name: str) -> bool:
        return self._registry.get(*self._existing(at, name)).status is WebhookStatus.ACTIVATED

    def _existing(self, at: Location, name: str) -> tuple[int, int]:
        self._known(at, name)
        if name in self._deleted:
            raise self._document.problem(at, f"webhook {name!r} is deleted")
        return self._ids[name]

    def _concerns(self, at: Location, name: str | None) -> None:
        if name is not None:
            self._known((*at, "webhook"), name)

    def _check_call_fault(self, at: Location, step: FaultStep) -> None:
        if not isinstance(step.fault, CallFault):
            return
        if step.webhook is not None:
            raise self._document.problem(
                (*at, "webhook"), f"{step.fault.kind} hits calls, not webhooks, allowed: 'operation' instead"
            )
        self._expecting.check_operation(at, step.fault.operation)

    def _known(self, at: Location, name: str) -> None:
        if name not in self._ids:
            raise self._document.problem(at, unknown("webhook", name, self._ids))

    def _emit(self, at: Location, emit: EmitStep) -> EmitGenerated | EmitExact:
        if emit.like is not None:
            sample = self._sample((*at, "like"), emit.like, emit.type)
            event_type = sample.event_type or emit.type
            if event_type is None:
                raise self._document.problem(
                    (*at, "like"), f"{emit.like} contains no known event type, name it with the key 'type'"
                )
            if emit.type not in (None, event_type):
                raise self._document.problem(
                    (*at, "type"), f"type {emit.type.value!r}, but {emit.like} contains {event_type.value!r} events"
                )
            return EmitGenerated(type=event_type, count=emit.count, over=emit.over, sample=sample, client=emit.client)
        assert emit.type is not None, "the language requires `type` or `like`"
        if emit.events is not None:
            return EmitExact(type=emit.type, events=emit.events, new_mail_ids=emit.new_mail_ids, client=emit.client)
        return EmitGenerated(type=emit.type, count=emit.count, over=emit.over, sample=None, client=emit.client)

    def _sample(self, at: Location, name: str, event_type: EventType | None) -> Sample:
        path = self._file(at, name)
        if (path, event_type) not in self._samples:
            try:
                check_regular(path)
                self._samples[path, event_type] = load_sample(path, event_type)
            except InvalidInputError as error:
                raise self._document.problem(at, str(error)) from None
        return self._samples[path, event_type]

    def _replay(self, at: Location, replay: ReplayStep) -> EmitRecorded:
        path = self._file((*at, "journal"), replay.journal)
        try:
            events = tuple(
                (entry.at - recorded.entries[0].at, entry)
                for recorded in load_journals(path)
                for entry in recorded.entries
                if isinstance(entry, Happened)
            )
        except InvalidInputError as error:
            raise self._document.problem((*at, "journal"), str(error)) from None
        if not events:
            raise self._document.problem((*at, "journal"), f"{path}: contains no events")
        self._journals.append(path)
        return EmitRecorded(events=events, client=replay.client)

    def _check_placeholders(self) -> None:
        probe = self._scenario.consumer.probe
        if probe is None:
            return
        at = ("consumer", "probe", "url" if probe.query is None else "query")
        for shape in self._shapes.values():
            try:
                require_roles(probe.placeholders(), shape, at[-1])
            except InvalidInputError as error:
                raise self._document.problem(at, str(error)) from None
