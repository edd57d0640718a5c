"""The deploy drill: restarts the consumer, or rotates its credentials, while deliveries go on, and balances the events.

A bench of the check delivers and compares. Nothing here decides what is sent or when it is retried.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import assert_never

from mockcampaign import json_text
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.context import CheckContext, RuleSlot
from mockcampaign.check.probes.run_command import done, parsed
from mockcampaign.drill.deploy_plan import CredentialRotation, Deployment, DeployPlan, Restart
from mockcampaign.drill.deploy_rules import Deployed, DeployEvidence, judge_deploy
from mockcampaign.drill.deploy_traffic import LOSING, WEBHOOKS, Traffic
from mockcampaign.durations import format_duration
from mockcampaign.engine.journal import Attempted, Entry, serials_in
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.difference import Difference
from mockcampaign.judging.fact import DeployBalance, Reply, Response, Stimulus
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.judging.situation import Situation
from mockcampaign.judging.verdict import RunResult, run_result, scenario_result
from mockcampaign.masking import shown_url
from mockcampaign.model import CONNECT_PHASES, Outcome, Responded
from mockcampaign.policy import HOUR, SECOND
from mockcampaign.report import sentences
from mockcampaign.wallclock import Stopwatch

BEFORE_NOW = 40 * HOUR
"""Virtual time before now at which the traffic begins, so that no event is of the future."""

WARM_UP = 30 * SECOND
"""Virtual time within which the first batches have to be accepted, before anything is deployed."""

NAME = "Deploy drill"

OnDeployment = Callable[[int, int], object]
"""Receives the number of a deployment before it begins, and how many there are."""

_SITUATIONS: Mapping[str, Situation] = {
    "restart": Situation.AFTER_RESTART_COMMAND,
    "rotation": Situation.AFTER_ROTATION,
}


class DeployDrill:
    """One drill of a consumer."""

    def __init__(
        self, context: CheckContext, plan: DeployPlan, *, on_deployment: OnDeployment = lambda number, of: None
    ) -> None:
        """The context names the consumer, its credentials and its probe."""
        self._plan = plan
        self._on_deployment = on_deployment
        slot = RuleSlot(rule_id="deploy", start=context.settings.now - BEFORE_NOW, number=0)
        self.bench = Bench(context, slot)
        self._traffic = Traffic(self.bench, every=plan.every, batch=plan.batch, pace=plan.pace)
        self._deployed: list[Deployed] = []
        self._deploying_since: int | None = None
        """When a deployment began that has not ended."""

    async def result(self) -> RunResult:
        """Run the drill and return its result, which is inconclusive if a command fails.

        Raises `CouldNotTellError` if the consumer fails before anything is deployed.
        """
        trouble: str | None = None
        with self.bench.unrecorded():
            await self._warm_up()
            for number, deployment in enumerate(self._plan.deployments, 1):
                self._on_deployment(number, len(self._plan.deployments))
                await self._traffic.pass_time(self._traffic.began + deployment.at)
                self._deploying_since = self._traffic.now
                try:
                    deployed = await self._deploy(deployment)
                except CouldNotTellError as error:
                    trouble = str(error)
                    break
                self._deploying_since = None
                self._deployed.append(deployed)
                if deployed.recovered is None:
                    trouble = None if self._is_reached() else self._unreachable(deployed)
                    break
            else:
                await self._traffic.pass_time(self._traffic.began + self._plan.end)
            if trouble is None:
                # What is still rejected now will be for three days.
                await self.bench.finish()
            difference = await self._difference() if trouble is None else None
        return self._judged(difference, trouble)

    def so_far(self) -> RunResult | None:
        """Return the result of a drill that was interrupted; None if nothing was delivered.

        It is inconclusive, unless what was delivered violates a rule already. The store is not compared: what it has
        is only known when nothing is on its way.
        """
        if not self._traffic.created:
            return None
        return self._judged(None, "interrupted, so not every event is accounted for")

    async def _warm_up(self) -> None:
        bench, traffic = self.bench, self._traffic
        await bench.store.begin(bench.nobodys_event(), is_settled=False)
        traffic.emit()
        await traffic.deliver()
        while traffic.pending and traffic.now < traffic.began + WARM_UP:
            due = bench.campaign.next_due()
            bench.campaign.forget_simulated_failures()
            await bench.advance(0 if due is None else due - traffic.now)
        whose = f"consumer {shown_url(bench.url)}: before anything was deployed"
        if traffic.pending:
            said = sentences.outcome(self._newest_outcome())
            raise CouldNotTellError(f"{whose}: {self._masked(said)} to an ordinary batch, expected 200")
        found = await self._difference()
        if found:
            said = sentences.difference_of(found.seen())
            raise CouldNotTellError(
                f"{whose}: {self._masked(said)}: see `mockcampaign check`, or --settle if it stores them later"
            )

    async def _deploy(self, one: Deployment) -> Deployed:
        match one:
            case Restart():
                return await self._restart(one)
            case CredentialRotation():
                return await self._rotate(one)
            case _:
                assert_never(one)

    async def _restart(self, one: Restart) -> Deployed:
        traffic, watch = self._traffic, Stopwatch()
        began = traffic.now
        with self.bench.fault("lost-ack", LOSING):
            traffic.emit()
            await traffic.deliver()
            command = await self._command(one)
        changed = traffic.now
        recovered = await self._caught_up(watch)
        return self._ended(one, began, changed, changed, command, recovered)

    async def _rotate(self, one: CredentialRotation) -> Deployed:
        traffic, watch = self._traffic, Stopwatch()
        began = traffic.now
        if one.order == "consumer-first":
            command = await self._command(one)
            consumer = traffic.now
            await self._wait(self._plan.gap)
            campaign = await self._change(one)
        else:
            campaign = await self._change(one)
            await self._wait(self._plan.gap)
            command = await self._command(one)
            consumer = traffic.now
        return self._ended(one, began, consumer, campaign, command, await self._caught_up(watch))

    async def _change(self, one: CredentialRotation) -> int:
        """Change the credentials at Campaign, and return when they are valid."""
        bench = self.bench
        for number in WEBHOOKS:
            bench.campaign.update(bench.webhook(number), authentication=one.authentication)
        changed = self._traffic.now
        await bench.campaign.advance(1)  # so that no attempt with the new ones is of the same moment
        return changed

    async def _command(self, one: Deployment) -> int:
        """Run the command while deliveries go on, and return how many wall milliseconds it took."""
        watch = Stopwatch()
        variables = one.variables() if isinstance(one, CredentialRotation) else {}
        whose = f"{'restart' if isinstance(one, Restart) else 'rotate'} command"
        async with _running(parsed(one.command), whose, self._plan.patience, variables) as running:
            await self._traffic.pass_time_with_wall(running.done)
            return watch.milliseconds

    async def _wait(self, duration: int) -> None:
        end = self._traffic.now + duration
        await self._traffic.pass_time_with_wall(lambda: self._traffic.now >= end)

    async def _caught_up(self, since: Stopwatch) -> int | None:
        """Wait until nothing is pending. Return how long the deployment took until then; None if it never came."""
        watch, traffic = Stopwatch(), self._traffic
        traffic.emit()  # so that there is something to accept
        await traffic.pass_time_with_wall(lambda: not traffic.pending or watch.milliseconds >= self._plan.patience)
        return None if traffic.pending else since.milliseconds

    def _ended(
        self, one: Deployment, began: int, consumer: int, campaign: int, command: int, recovered: int | None
    ) -> Deployed:
        rejection = None
        if recovered is None and self._is_reached():
            stimulus = Stimulus(situation=_SITUATIONS[one.kind], milliseconds=began - self._traffic.began)
            rejection = Response(to=stimulus, replies=(Reply.of(self._newest_outcome()),))
        return Deployed(
            deployment=one,
            began=began,
            consumer_changed=consumer,
            campaign_changed=campaign,
            over=self._traffic.now,
            command=command,
            recovered=recovered,
            rejection=rejection,
        )

    def _newest_outcome(self) -> Outcome:
        """Return how the newest attempt at pending events ended: one of the webhooks may have nothing pending."""
        bench = self.bench
        entries = [
            entry
            for number in WEBHOOKS
            if bench.campaign.pending_count(bench.webhook(number))
            for _, entry in bench.ledger.account(bench.webhook(number).id).entries[-1:]
        ]
        return max(entries, key=lambda entry: entry.last_at).outcome

    def _is_reached(self) -> bool:
        """Return whether the newest attempt at pending events has reached the consumer."""
        outcome = self._newest_outcome()
        return isinstance(outcome, Responded) or outcome.phase not in CONNECT_PHASES

    def _unreachable(self, deployed: Deployed) -> str:
        """Say why there is no verdict on a consumer that cannot be reached: the command is the user's own."""
        outcome = self._newest_outcome()
        whose, said = f"consumer {shown_url(self.bench.url)}", sentences.outcome(outcome)
        waited, kind = format_duration(self._plan.patience), deployed.deployment.kind
        return f"{whose}: {said}, still {waited} after the {kind} command had ended (--patience)"

    async def _difference(self) -> Difference | None:
        return await self.bench.store.difference() if self.bench.store.has_probe else None

    def _masked(self, text: str) -> str:
        return self.bench.campaign.masking.text(text)

    def _judged(self, difference: Difference | None, trouble: str | None) -> RunResult:
        bench, entries = self.bench, self.bench.campaign.journal.entries
        trouble = None if trouble is None else self._masked(trouble)
        evidence = self._evidence(difference, entries, trouble)
        rules = [*judge_deploy(evidence, bench.campaign.masking), *self._general(entries)]
        result = scenario_result(
            name=NAME,
            file="",
            target=bench.url,
            trouble=trouble,
            webhooks={f"webhook {number + 1}": bench.webhook(number).id for number in WEBHOOKS},
            rules=rules,
            expectations=[],
            journal=list(entries),
            strict=bench.settings.strict,
        )
        return run_result([result])

    def _evidence(self, difference: Difference | None, entries: Iterable[Entry], trouble: str | None) -> DeployEvidence:
        ledger = self.bench.ledger
        sums = ledger.deliveries
        attempts = [(position, entry) for position, entry in enumerate(entries) if isinstance(entry, Attempted)]
        acknowledged = {
            serial: entry.last_at
            for _, entry in attempts
            if entry.outcome.accepted
            for serial in serials_in(entry.serials)
        }
        first = {serial: entry.at for _, entry in reversed(attempts) for serial in serials_in(entry.serials)}
        return DeployEvidence(
            deployed=tuple(self._deployed),
            origin=self._traffic.began,
            balance=DeployBalance(
                created=self._traffic.created,
                accepted=sums.delivered,
                discarded=sums.discarded,
                pending=sums.pending,
            ),
            attempts=attempts,
            acknowledged=len(acknowledged),
            trouble=trouble,
            difference=difference,
            missing_at=self._moments(() if difference is None else difference.missing, acknowledged),
            duplicates_at=self._moments(() if difference is None else difference.surplus, first),
        )

    def _moments(self, events: Iterable[bytes], of: Mapping[int, int]) -> list[int]:
        """Return the moments of events that a difference contains."""
        if not events:
            return []
        serials: defaultdict[bytes, list[int]] = defaultdict(list)
        for entry in self.bench.ledger.happened:
            for serial, event in enumerate(entry.events, entry.first_serial):
                serials[self.bench.store.shown(json_text.decode(event))].append(serial)
        return [of[serial] for event in events for serial in serials[event][:1] if serial in of]

    def _general(self, entries: list[Entry]) -> list[Finding]:
        """Return the findings of the rules about any journal, without what the deployments explain."""
        return [rule.judge(entries, sentences.actual, is_left_out=self._is_explained) for rule in JOURNAL_RULES]

    def _is_explained(self, entry: Attempted) -> bool:
        """Return whether a planned downtime explains that an attempt got no response."""
        since = self._deploying_since
        planned = any(one.began <= entry.last_at and entry.at <= one.over for one in self._deployed)
        planned = planned or (since is not None and entry.last_at >= since)
        return planned and not isinstance(entry.outcome, Responded)


@contextlib.asynccontextmanager
async def _running(
    words: list[str], whose: str, patience: int, variables: Mapping[str, str]
) -> AsyncIterator[asyncio.Task[None]]:
    """Run a command while the context is open, which ends it if it is left early. Raise what `done` raises."""
    task = asyncio.ensure_future(done(words, whose, timeout=patience, variables=variables))
    try:
        yield task
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
