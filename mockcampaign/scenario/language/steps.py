"""The steps of a scenario: one frozen class each, and the table of their keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from mockcampaign.engine.declared_faults import FaultInputError, When, read_fault
from mockcampaign.errors import InvalidInputError
from mockcampaign.events import AUDIENCE_MAX, DEFAULT_RATES, Rates
from mockcampaign.model import EventType, Fault
from mockcampaign.policy import DEFAULT_CLIENT_ID, PASSWORD_DELAY
from mockcampaign.scenario.language.annotations import (
    Bounded,
    Decoded,
    Interpolated,
    OneOf,
    Secret,
    Shorthand,
    SingleValue,
    bare_class,
)
from mockcampaign.scenario.language.endpoints import Auth, WebhookDefinition, WebhookUpdate
from mockcampaign.scenario.language.expect import Expected
from mockcampaign.scenario.language.plain_values import ClientId, Count, Duration, ExactEvents, OutageKind, Span

ActType = Literal["open", "click", "unsubscribe", "spamcomplaint", "bounce"]
BounceCategory = Literal["hardbounce", "softbounce", "autoresponder", "unknown"]


class CreateStep(SingleValue, frozen=True):
    """Creates more webhooks, by name."""

    webhooks: Annotated[dict[str, WebhookDefinition], Interpolated()]


class UpdateStep(SingleValue, frozen=True):
    """Gives webhooks another target or other credentials."""

    changes: Annotated[dict[str, WebhookUpdate], Interpolated()]


class RotateStep(msgspec.Struct, frozen=True, kw_only=True):
    """Gives a webhook other credentials, or a user of the REST API another password. They are valid some minutes
    later, and the old ones until then. The step itself lets no time pass."""

    webhook: str | None = None
    """Name of the webhook."""
    auth: Auth | None = None
    """New credentials of the webhook."""
    user: str | None = None
    """Name of the user of the REST API (default: the client's first one)."""
    password: Annotated[str, Secret()] | None = None
    """New password of the user, which only `mockcampaign serve` and `drill` have. No output repeats it."""
    client: ClientId = DEFAULT_CLIENT_ID
    """Id of the client of the user."""
    after: Duration = PASSWORD_DELAY
    """Time from now until the new credentials are valid."""

    def __post_init__(self) -> None:
        is_webhook = self.webhook is not None and self.auth is not None
        is_user = self.password is not None
        parts = (self.webhook, self.auth) if is_user else (self.user, self.password)
        if is_webhook == is_user or any(part is not None for part in parts):
            raise InvalidInputError("expected either the keys 'webhook' and 'auth', or 'password' with 'user'")


class ActivateStep(SingleValue, frozen=True):
    """From now on, Campaign exports events of the webhook's type. The value is the webhook's name."""

    webhook: str


class DeactivateStep(SingleValue, frozen=True):
    """From now on, Campaign exports nothing. Pending events stay, and still expire after three days."""

    webhook: str


class DeleteStep(SingleValue, frozen=True):
    """Deletes a deactivated webhook, and discards its pending events."""

    webhook: str


class VerifyStep(msgspec.Struct, frozen=True, kw_only=True):
    """Sends sample events to a webhook's target at once. They are never pending and never retried. The value may be the
    webhook's name alone."""

    webhook: str
    """Name of the webhook."""
    events: Annotated[int, Bounded(1, 100)] = 1
    """Number of sample events."""


class EmitStep(msgspec.Struct, frozen=True, kw_only=True):
    """Makes recipients open, click and so on: at this instant, or spread over a time from now on. No two of the events
    are created in the same millisecond, unless `events` says so: those of this instant were created shortly before."""

    type: EventType | None = None
    """Event type; not needed with `like`."""
    count: Count = 1
    """Number of events."""
    over: Duration = 0
    """Time from now on over which the events are spread. The step itself lets no time pass."""
    like: str | None = None
    """File with a captured event or batch, relative to the scenario's folder. The events get the same shape."""
    events: ExactEvents | None = None
    """Exactly these events, as JSON text, instead of generated ones."""
    new_mail_ids: bool = False
    """Whether each run replaces the mail ids of `events` by new ones (equal ids by equal ids). Otherwise a consumer
    that stored them in an earlier run treats them as redelivered."""
    client: ClientId = DEFAULT_CLIENT_ID
    """Id of the client whose recipients cause the events."""

    def __post_init__(self) -> None:
        if self.type is None and self.like is None:
            raise InvalidInputError("expected at least one of the keys 'type' and 'like'")
        if self.events is not None and (self.like is not None or self.over or self.count != 1):
            raise InvalidInputError(
                "events: these are all events, and they occur now, allowed besides: type, new_mail_ids, client"
            )
        if self.new_mail_ids and self.events is None:
            raise InvalidInputError("new_mail_ids: needs the key 'events'")


class MailingStep(msgspec.Struct, frozen=True, kw_only=True):
    """Sends a mailing. Its recipients' events fall due over the next month, as time passes."""

    recipients: Annotated[int, Bounded(1, AUDIENCE_MAX)]
    """Number of recipients."""
    rates: Rates = DEFAULT_RATES
    """Behaviour of the recipients, as rates from 0 to 1."""
    client: ClientId = DEFAULT_CLIENT_ID
    """Id of the client that sends the mailing."""


class SendStep(msgspec.Struct, frozen=True, kw_only=True, rename={"name": "as"}):
    """Sends a transactional mail to one recipient, who joins its recipient list. Its events follow as time passes."""

    recipient: str
    """Id of the recipient, as a rule the e-mail address. An address such as `bounce+anna@example.com` decides the
    outcome: silent, bounce, softbounce, autoresponder, open, click, unsubscribe or complaint."""
    name: str | None = None
    """Name by which later steps make the recipient act."""
    mail: str | None = None
    """Name of the transactional mail (default: the first one)."""
    data: dict[str, str] = {}
    """Attributes of the recipient."""
    client: ClientId = DEFAULT_CLIENT_ID
    """Id of the client that sends the mail."""


class ActStep(msgspec.Struct, frozen=True, kw_only=True):
    """Makes the recipient of a mail open it, click and so on."""

    mail: str
    """Name of the mail, from the key `as` of the step that sent it."""
    type: ActType
    """Type of the event."""
    after: Duration = 0
    """Time from now until it happens. Nothing happens before the mail is sent. The step itself lets no time pass."""
    link: str | None = None
    """Target of a click (default: one of the model's links)."""
    category: BounceCategory | None = None
    """Category of a bounce (default: hardbounce)."""


class SuspendStep(SingleValue, frozen=True):
    """Campaign suspends a webhook and exports nothing, as it does by itself after long trouble. The value is the
    webhook's name."""

    webhook: str


class ForgetStep(SingleValue, frozen=True):
    """Campaign deletes all webhooks, whoever created them, as if somebody had tidied up. Their ids exist no more."""

    what: Literal["webhooks"]


class SetUpStep(SingleValue, frozen=True):
    """Runs the set-up of `mockcampaign drill provisioning`: so many times, or `until-success`, as people do it: until
    its exit status is 0, at most three times, and the step fails if it never is."""

    runs: Literal["until-success"] | Annotated[int, Bounded(1, 10)]


class ReplayStep(msgspec.Struct, frozen=True, kw_only=True):
    """Repeats the events of a recorded journal from now on, at the same intervals. Their `created` moves with them."""

    journal: str
    """File that `run --journal` or `record` wrote, relative to the scenario's folder."""
    client: ClientId = DEFAULT_CLIENT_ID
    """Id of the client whose recipients cause the events."""


class OutageStep(msgspec.Struct, frozen=True, kw_only=True, rename={"duration": "for"}):
    """From now on, nothing reaches the consumer."""

    duration: Span
    """Duration of the outage. The step itself lets no time pass."""
    kind: OutageKind = "refused"
    """How each attempt fails."""
    webhook: str | None = None
    """Name of the only affected webhook (default: all webhooks)."""


class FaultStep(msgspec.Struct, frozen=True, kw_only=True):
    """From now on, a fault hits attempts."""

    fault: Fault
    """The fault itself."""
    when: When
    """Which attempts it hits."""
    webhook: str | None = None
    """Name of the only affected webhook (default: all webhooks)."""


class AdvanceStep(SingleValue, frozen=True):
    """Lets time pass. Everything that falls due in it happens."""

    duration: Span


UNTIL_IDLE, DESPITE_REJECTIONS = "until-idle", "until-idle-despite-rejections"


class RunStep(SingleValue, frozen=True):
    """Lets time pass until nothing is left to send. It stops if the consumer has accepted nothing of a webhook and
    rejects it ten times in a row, without any outage or fault: most likely its path or credentials are wrong.
    `until-idle-despite-rejections` goes on until the events expire; so does `until-idle` in a scenario that expects
    `discarded`, `pending` or no delivered events, or sets `simulate_after` or `suspend_after`."""

    until: Literal["until-idle", "until-idle-despite-rejections"]


class WaitStep(msgspec.Struct, frozen=True, kw_only=True, rename={"duration": "for"}):
    """Lets time pass until all expectations are met. If they are not met in time, the step fails."""

    until: Expected
    """Expectations as in `expect`, but not of the consumer."""
    duration: Span
    """Longest time to wait."""


class ProbeStep(SingleValue, frozen=True):
    """Asks the consumer for the events it has stored, and records the response in the report."""

    when: Literal["now"]


class ExpectStep(SingleValue, frozen=True):
    """States what must be true by now, of webhooks by name, of the consumer and of calls of the REST API."""

    expected: Expected


Step: TypeAlias = (
    CreateStep
    | UpdateStep
    | RotateStep
    | ActivateStep
    | DeactivateStep
    | DeleteStep
    | VerifyStep
    | EmitStep
    | MailingStep
    | SendStep
    | ActStep
    | SuspendStep
    | ForgetStep
    | SetUpStep
    | ReplayStep
    | OutageStep
    | FaultStep
    | AdvanceStep
    | RunStep
    | WaitStep
    | ProbeStep
    | ExpectStep
)


def _read_fault_step(values: dict[str, Any]) -> FaultStep:
    webhook = values.pop("webhook", None)
    if webhook is not None and not isinstance(webhook, str):
        raise FaultInputError(f"fault: webhook: {webhook!r} is not text, allowed: the name of a webhook", "webhook")
    fault, when = read_fault(values)
    return FaultStep(fault=fault, when=when, webhook=webhook)


STEPS: Mapping[str, Any] = {
    "create": CreateStep,
    "update": UpdateStep,
    "rotate": Annotated[RotateStep, Interpolated()],
    "activate": ActivateStep,
    "deactivate": DeactivateStep,
    "delete": DeleteStep,
    "verify": Annotated[VerifyStep, Shorthand("webhook")],
    "emit": EmitStep,
    "mailing": MailingStep,
    "send": SendStep,
    "act": ActStep,
    "suspend": SuspendStep,
    "forget": ForgetStep,
    "set_up": SetUpStep,
    "replay": ReplayStep,
    "outage": OutageStep,
    "fault": Annotated[FaultStep, Decoded(_read_fault_step, "a mapping of kind, webhook, times, for, every and so on")],
    "advance": AdvanceStep,
    "run": RunStep,
    "wait": WaitStep,
    "probe": ProbeStep,
    "expect": ExpectStep,
}
"""Class of each step, by its key."""

STEP_KEYS: Mapping[type[msgspec.Struct], str] = {bare_class(hint): key for key, hint in STEPS.items()}

OneStep = Annotated[Step, OneOf("a step", STEPS)]
