"""A plan: a scenario whose names, statuses and files were checked, with everything that playing it needs.

Most steps of the language are actions as they are. Those that refer to files or expect something have a form of their
own here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import msgspec

from mockcampaign.clients.definitions import ClientDefinition
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.engine.journal import Happened
from mockcampaign.events import Sample
from mockcampaign.model import EventType
from mockcampaign.scenario.language.expect import ApiExpectation, ConsumerExpectation, WebhookClaim
from mockcampaign.scenario.language.scenario_file import Scenario
from mockcampaign.scenario.language.steps import (
    ActivateStep,
    ActStep,
    AdvanceStep,
    CreateStep,
    DeactivateStep,
    DeleteStep,
    FaultStep,
    ForgetStep,
    MailingStep,
    OutageStep,
    ProbeStep,
    RotateStep,
    RunStep,
    SendStep,
    SetUpStep,
    SuspendStep,
    UpdateStep,
    VerifyStep,
)
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.shape import Shape


class WebhookExpected(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an `expect` or `wait` step about a webhook."""

    webhook: str
    """Name of the webhook."""
    key: str
    """Key in the file, such as `delivered`."""
    claim: WebhookClaim
    place: str
    """`file:line:column` of the key."""

    @property
    def name(self) -> str:
        """Webhook and key, such as `opens.delivered`."""
        return f"{self.webhook}.{self.key}"


class ConsumerExpected(msgspec.Struct, frozen=True, kw_only=True):
    """The claim of an `expect` step about the consumer."""

    name: ClassVar = "consumer.processed"
    claim: ConsumerExpectation
    place: str
    """`file:line:column` of the key."""


class ApiExpected(msgspec.Struct, frozen=True, kw_only=True):
    """A claim of an `expect` or `wait` step about calls of the REST API."""

    claim: ApiExpectation
    place: str
    """`file:line:column` of the claim."""

    @property
    def name(self) -> str:
        """Name of the claim, such as `api.createWebhook`."""
        return self.claim.name


Expectation: TypeAlias = WebhookExpected | ConsumerExpected | ApiExpected


class EmitGenerated(msgspec.Struct, frozen=True, kw_only=True):
    """Action of an `emit` step without `events`."""

    type: EventType
    count: int
    over: int
    sample: Sample | None
    client: int


class EmitExact(msgspec.Struct, frozen=True, kw_only=True):
    """Action of an `emit` step with `events`."""

    type: EventType
    events: tuple[dict[str, Any], ...]
    new_mail_ids: bool
    client: int


class EmitRecorded(msgspec.Struct, frozen=True, kw_only=True):
    """Action of a `replay` step."""

    events: tuple[tuple[int, Happened], ...]
    """Recorded events, each with the milliseconds since its journal began."""
    client: int

    @property
    def duration(self) -> int:
        """Milliseconds until the last of the events."""
        return max(after for after, _ in self.events)


class WaitUntil(msgspec.Struct, frozen=True, kw_only=True):
    """Action of a `wait` step."""

    expectations: tuple[WebhookExpected | ApiExpected, ...]
    duration: int


class Expect(msgspec.Struct, frozen=True, kw_only=True):
    """Action of an `expect` step: none. The expectations are judged afterwards, from the journal alone."""

    expectations: tuple[Expectation, ...]


Action: TypeAlias = (
    CreateStep
    | UpdateStep
    | RotateStep
    | ActivateStep
    | DeactivateStep
    | DeleteStep
    | VerifyStep
    | EmitGenerated
    | EmitExact
    | EmitRecorded
    | MailingStep
    | SendStep
    | ActStep
    | SuspendStep
    | ForgetStep
    | SetUpStep
    | OutageStep
    | FaultStep
    | AdvanceStep
    | RunStep
    | WaitUntil
    | ProbeStep
    | Expect
)

EMITTING = (EmitGenerated, EmitExact, EmitRecorded, MailingStep, SendStep, VerifyStep)
"""Actions that make events for webhooks."""


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a plan."""

    action: Action
    place: str
    """`file:line:column` of the step."""

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """Expectations of the step; empty unless it is `expect` or `wait`."""
        match self.action:
            case Expect(expectations=expectations) | WaitUntil(expectations=expectations):
                return expectations
            case _:
                return ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that passed every check possible before a run, with one value for each key of its matrix."""

    path: Path
    scenario: Scenario
    steps: tuple[PlannedStep, ...]
    files: tuple[Path, ...]
    """Every file that was read: the scenario, the file it uses, captured events, shapes and journals."""
    shapes: Mapping[EventType, Shape] = {}
    """The shapes of captured events, by type."""
    first_webhook_id: int = 1
    """Id of the first webhook: a server does not begin with 1."""

    @property
    def name(self) -> str:
        """Name of the scenario. It includes the values of the matrix if the plans would otherwise share one name."""
        return self.scenario.name

    @property
    def clients(self) -> dict[int, ClientDefinition]:
        """Contents of clients besides their defaults."""
        return {client.id: client.definition() for client in self.scenario.clients}

    @property
    def clock_file(self) -> Path | None:
        """The file that leads the consumer's clock, if it follows virtual time."""
        clock = self.scenario.consumer.clock
        return None if clock is None else self.path.parent / clock

    def clock(self) -> ClockFile | None:
        """Return what leads the consumer's clock, if it follows. Raises `InvalidInputError` as `ClockFile.existing`."""
        return None if self.clock_file is None else ClockFile.existing(self.clock_file, f"{self.path}: clock")

    @property
    def known_shapes(self) -> tuple[Shape, ...]:
        """The shapes by which events in the consumer's store are recognised."""
        # What identifies an event has the same names in all built-in shapes.
        return (*self.shapes.values(), builtin_shape(EventType.OPEN))

    @property
    def label(self) -> str:
        """Text that distinguishes this run from those of other scenarios, the same on every machine."""
        return f"{self.path.name}: {self.scenario.name}"

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """Expectations of all steps, in order."""
        return tuple(expectation for step in self.steps for expectation in step.expectations)

    def without_probe(self) -> Plan:
        """Return the plan without whatever asks the consumer's probe."""
        consumer = msgspec.structs.replace(self.scenario.consumer, probe=None)
        steps = tuple(_of_webhooks(step) for step in self.steps if not isinstance(step.action, ProbeStep))
        return msgspec.structs.replace(
            self, scenario=msgspec.structs.replace(self.scenario, consumer=consumer), steps=steps
        )

    @property
    def webhook_ids(self) -> dict[str, int]:
        """Ids of the webhooks by name. A run assigns ids in order of creation."""
        names = list(self.scenario.webhooks)
        for step in self.steps:
            if isinstance(step.action, CreateStep):
                names += step.action.webhooks
        return {name: number for number, name in enumerate(names, self.first_webhook_id)}


def _of_webhooks(step: PlannedStep) -> PlannedStep:
    """Return the step without expectations of the consumer."""
    if not isinstance(step.action, Expect):
        return step
    expectations = tuple(one for one in step.action.expectations if not isinstance(one, ConsumerExpected))
    return msgspec.structs.replace(step, action=Expect(expectations=expectations))
