"""Plays a plan step by step on a `Campaign`."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import assert_never

from mockcampaign.campaign import Campaign
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.engine.journal import Happened, StepReached
from mockcampaign.errors import ConsumerRejectsError, InvalidInputError, MockcampaignError
from mockcampaign.judging.ledger import Ledger
from mockcampaign.judging.responses.rejections import Rejections, is_misdirected
from mockcampaign.model import EventType, NoAuthentication, Webhook
from mockcampaign.scenario.expectations.api_calls import ApiCondition
from mockcampaign.scenario.expectations.wait_condition import condition
from mockcampaign.scenario.judge import expects_rejections
from mockcampaign.scenario.language.endpoints import WebhookDefinition, WebhookUpdate
from mockcampaign.scenario.language.expect import ConsumerExpectation
from mockcampaign.scenario.language.steps import (
    DESPITE_REJECTIONS,
    UNTIL_IDLE,
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
from mockcampaign.scenario.plan import (
    Action,
    ApiExpected,
    ConsumerExpected,
    EmitExact,
    EmitGenerated,
    EmitRecorded,
    Expect,
    Plan,
    WaitUntil,
    WebhookExpected,
)
from mockcampaign.scenario.probing import RunProbe
from mockcampaign.scenario.replay import move_events
from mockcampaign.scenario.stopped_run import Door, why_stopped
from mockcampaign.shape.builtin import draw_mail_id
from mockcampaign.shape.field import Event, Role, value_at
from mockcampaign.shape.likeness import draw_like
from mockcampaign.shape.shape import Shape
from mockcampaign.transport import Transport
from mockcampaign.transport.always_ok import AlwaysOkTransport

IDENTITIES = (Role.RECIPIENT, Role.RECIPIENT_ADDRESS, Role.MAIL, Role.SUBSCRIPTION, Role.ID)
"""Roles in which a value that identifies a mail may occur."""


_DOOR = Door(
    run=f"`run: {UNTIL_IDLE}`",
    credentials="auth: {basic: {username: …, password: …}} under `webhooks`",
    go_on=f"`run: {DESPITE_REJECTIONS}`",
)

SetUp = Callable[[SetUpStep], Awaitable[object]]
"""Runs a set-up as often as a step says."""


class Player:
    """Plays one plan once. The results are in the campaign's journal; `webhooks` has the webhooks by name."""

    def __init__(self, plan: Plan, campaign: Campaign, set_up: SetUp | None = None) -> None:
        """`set_up` runs the set-up of a drill."""
        scenario = plan.scenario
        self.plan = plan
        self.campaign = campaign
        self._set_up = set_up
        self.webhooks: dict[str, Webhook] = {}
        probe = scenario.consumer.probe
        self.ledger = Ledger()
        """Ledger of the campaign's journal while the plan is played."""
        self._rejections = Rejections()
        self.stopped: str | None = None
        """Why a `run` step stopped before its end. What the scenario expects after it is judged nevertheless."""
        self._probe = None if probe is None else RunProbe(probe, campaign, self.ledger, plan.known_shapes)
        self._mail_ids: dict[str | int, str | int] = {}
        """New mail ids of exact events, by the written ones."""
        self._mails: dict[str, tuple[int, str]] = {}
        """Clients and ids of sent mails, by their names."""
        self._random = Random(f"mails:{campaign.seed}")

    @classmethod
    def with_campaign(
        cls, plan: Plan, transport: Transport, *, seed: int, name: str | None = None, clock: ClockFile | None = None
    ) -> Player:
        """Return a player with a campaign of its own, set up as the scenario says.

        `name` is that of the campaign (default: the label of the plan). `clock` leads the consumer's.
        """
        scenario = plan.scenario
        campaign = Campaign(
            transport,
            seed=seed,
            policy=scenario.policy.policy(),
            start=scenario.start,
            name=plan.label if name is None else name,
            shapes=plan.shapes,
            clients=plan.clients,
            clock=clock,
        )
        return cls(plan, campaign)

    async def play(self) -> None:
        """Play all steps.

        Raises `CouldNotTellError` if no verdict is possible; the journal has everything until then. Raises
        `InvalidInputError` before anything is sent if the transport cannot carry out a fault.
        """
        for step in self.plan.steps:
            if isinstance(step.action, FaultStep):
                self._check_fault(step.action, step.place)
        with contextlib.ExitStack() as stack:
            if self._probe is not None:
                stack.callback(self._probe.close)
                await self._probe.remember_stored(await self._upcoming(self._probe))
            for note in (self.ledger.note, self._rejections.note):
                self.campaign.journal.follow(note)
                stack.callback(self.campaign.journal.unfollow, note)
            await self._play_steps()

    async def _upcoming(self, probe: RunProbe) -> Sequence[Happened]:
        """Return the events of the run to come, if the probe selects by them.

        A set-up is not run for that. What depends on the consumer's responses may be absent.
        """
        if not probe.selects or self._set_up is not None:
            return ()
        rehearsal = Player.with_campaign(
            self.plan.without_probe(), AlwaysOkTransport(), seed=self.campaign.seed, name=self.campaign.name
        )
        with contextlib.suppress(MockcampaignError):
            await rehearsal.play()
        return rehearsal.ledger.happened

    async def _play_steps(self) -> None:
        self._create(self.plan.scenario.webhooks)
        for index, step in enumerate(self.plan.steps):
            claims = [one.claim for one in step.expectations if isinstance(one, ConsumerExpected)]
            if claims:
                await self._record_probe(claims)
            self.campaign.journal.append(StepReached(at=self.campaign.now, index=index))
            await self._carry_out(step.action)

    async def _carry_out(self, action: Action) -> None:
        campaign = self.campaign
        match action:
            case CreateStep(webhooks=webhooks):
                self._create(webhooks)
            case UpdateStep(changes=changes):
                for name, change in changes.items():
                    self._update(name, change)
            case RotateStep():
                self._rotate(action)
            case ForgetStep():
                campaign.forget_webhooks()
            case SetUpStep():
                assert self._set_up is not None, "load requires a drill"
                await self._set_up(action)
            case ActivateStep(webhook=name):
                self.webhooks[name] = campaign.activate(self.webhooks[name])
            case DeactivateStep(webhook=name):
                self.webhooks[name] = campaign.deactivate(self.webhooks[name])
            case DeleteStep(webhook=name):
                self.webhooks[name] = campaign.delete(self.webhooks[name])
            case EmitGenerated():
                campaign.emit(action.type, action.count, over=action.over, like=action.sample, client_id=action.client)
            case EmitExact():
                events = self._with_new_mail_ids(action.type, action.events) if action.new_mail_ids else action.events
                campaign.emit_events(action.type, events, client_id=action.client)
            case EmitRecorded():
                moments = [(campaign.now + after, entry) for after, entry in action.events]
                campaign.put(
                    [
                        (at, move_events(entry, at, action.client, shape=campaign.shape(entry.type)))
                        for at, entry in moments
                    ]
                )
            case MailingStep():
                campaign.mailing(action.recipients, rates=action.rates, client_id=action.client)
            case SendStep():
                self._send(action)
            case ActStep():
                client, mail_id = self._mails[action.mail]
                more = {} if action.category is None else {"category": action.category}
                campaign.client(client).act(
                    mail_id, EventType(action.type), after=action.after, link=action.link, **more
                )
            case SuspendStep(webhook=name):
                self.webhooks[name] = campaign.suspend(self.webhooks[name])
            case OutageStep():
                campaign.outage(action.duration, action.kind, *self._named(action.webhook))
            case FaultStep():
                campaign.declare_fault(action.fault, action.when, *self._named(action.webhook))
            case VerifyStep():
                await self._verify(self.webhooks[action.webhook], action.events)
            case WaitUntil():
                await campaign.wait(action.duration, self._condition(action.expectations))
            case AdvanceStep(duration=duration):
                await campaign.advance(duration)
            case RunStep():
                await self._run()
            case ProbeStep():
                await self._record_probe()
            case Expect():
                pass  # judged afterwards, from the journal alone
            case _:
                assert_never(action)

    async def _run(self) -> None:
        campaign, rejections = self.campaign, self._rejections
        if expects_rejections(self.plan):
            await campaign.run()
            return
        rejections.begin()
        await campaign.run(lambda: rejections.found is not None)
        if rejections.found is not None:
            webhook = campaign.webhook(rejections.found.webhook_id)
            why = why_stopped(_DOOR, rejections.found, webhook, campaign.journal.entries)
            has_credentials = not isinstance(webhook.authentication, NoAuthentication)
            if is_misdirected(rejections.found.outcome, has_credentials=has_credentials):
                raise ConsumerRejectsError(why)
            self.stopped = self.stopped or why

    def _send(self, step: SendStep) -> None:
        client = self.campaign.client(step.client)
        mail = client.state.find_transactional_mail(step.mail)
        sent = client.send(mail.id, mail.list_ids[0], step.recipient, data=step.data)
        if step.name is not None:
            self._mails[step.name] = step.client, sent.facts.mail_id

    def _named(self, name: str | None) -> list[Webhook]:
        """Return the one webhook that a step names, or none if it concerns all."""
        return [] if name is None else [self.webhooks[name]]

    def _update(self, name: str, change: WebhookUpdate) -> None:
        authentication = None if change.auth is None else change.auth.authentication()
        self.webhooks[name] = self.campaign.update(
            self.webhooks[name], target_url=change.url, authentication=authentication
        )

    def _rotate(self, step: RotateStep) -> None:
        if step.webhook is not None:
            assert step.auth is not None, "the language requires credentials"
            self.campaign.rotate(self.webhooks[step.webhook], step.auth.authentication(), after=step.after)
            return
        assert step.password is not None, "the language requires a password"
        self.campaign.rotate_user(step.password, username=step.user, client_id=step.client, after=step.after)

    async def _verify(self, webhook: Webhook, events: int) -> None:
        outcome = await self.campaign.verify(webhook, events)
        if self.campaign.current_outage(webhook) is None:
            self.campaign.require_reached(webhook.target_url, outcome)

    def _with_new_mail_ids(self, event_type: EventType, events: Sequence[Event]) -> list[Event]:
        shape = self.campaign.shape(event_type)
        return [self._with_new_ids(shape, event) for event in events]

    def _with_new_ids(self, shape: Shape, event: Event) -> Event:
        """Return the event with new values for what identifies its mail, wherever these values are."""
        kinds = str | int if shape.is_captured else str
        for key in shape.key_fields:
            value = value_at(event, key.path)
            if key.role is Role.MAILING or isinstance(value, bool) or not isinstance(value, kinds):
                continue
            if value not in self._mail_ids:
                self._mail_ids[value] = self._new_id(shape, value)
            same = [field for field in shape.of(*IDENTITIES) if value_at(event, field.path) == value]
            event = shape.put_all(event, [(field, self._mail_ids[value]) for field in same])
        return event

    def _new_id(self, shape: Shape, written: str | int) -> str | int:
        if not shape.is_captured:
            return draw_mail_id(self._random)
        return draw_like(written, self._random, unique=True)

    def _check_fault(self, step: FaultStep, place: str) -> None:
        try:
            self.campaign.check_fault(step.fault)
        except InvalidInputError as error:
            raise InvalidInputError(f"{place}: {error}") from None

    def _create(self, webhooks: dict[str, WebhookDefinition]) -> None:
        for name, webhook in webhooks.items():
            self.webhooks[name] = self.campaign.create(
                webhook.type,
                webhook.url or self.plan.scenario.consumer.url,
                webhook.auth.authentication(),
                client_id=webhook.client,
            )

    def _condition(self, expectations: Sequence[WebhookExpected | ApiExpected]) -> Callable[[], bool]:
        """Return a function that says whether all expectations of a `wait` are met. It is called at each due moment."""
        conditions = [
            ApiCondition(self.ledger, expectation.claim)
            if isinstance(expectation, ApiExpected)
            else condition(expectation.claim, self.ledger, self.webhooks[expectation.webhook].id)
            for expectation in expectations
        ]
        return lambda: all(holds(self.campaign.now) for holds in conditions)

    async def _record_probe(self, claims: Sequence[ConsumerExpectation] = ()) -> None:
        assert self._probe is not None, "load requires a probe"
        self.campaign.journal.append(await self._probe.ask(claims))
