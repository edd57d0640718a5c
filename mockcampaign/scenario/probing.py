"""Asks a consumer for the events that it has stored since a run began."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

import msgspec

from mockcampaign import json_text
from mockcampaign.campaign import Campaign
from mockcampaign.check.probes.probe_making import close_probe, make_probe
from mockcampaign.check.probes.question import Question, found_or_nothing
from mockcampaign.check.probes.store_probe import StoreProbe
from mockcampaign.engine.journal import Happened, Probed
from mockcampaign.errors import CouldNotTellError, StoreMissingError
from mockcampaign.judging.consumer_store import ProbeReading, canonical, events_in
from mockcampaign.judging.difference import own_events, selected_with, sent_events
from mockcampaign.judging.ledger import Ledger
from mockcampaign.masking import shown_url
from mockcampaign.model import EventType
from mockcampaign.scenario.judge import judge_consumer, unrecognised_for
from mockcampaign.scenario.language.endpoints import ProbeDefinition
from mockcampaign.scenario.language.expect import ConsumerExpectation
from mockcampaign.shape.field import Role
from mockcampaign.shape.likeness import draw_like
from mockcampaign.shape.shape import Shape
from mockcampaign.wallclock import ask_until


class RunProbe:
    """The probe of one run. It reports stored events without those from before the run and those of other senders."""

    def __init__(
        self, definition: ProbeDefinition, campaign: Campaign, ledger: Ledger, shapes: tuple[Shape, ...]
    ) -> None:
        """`shapes` are those of the events of the run."""
        self._whose = "probe query" if definition.url is None else f"probe {shown_url(definition.url)}"
        self._how_to_select = (
            selected_with("events of the probe", "count") if definition.url is not None else _name_columns
        )
        self._probe = _store_probe(definition, campaign)
        self._settle = definition.settle
        self._campaign = campaign
        self._ledger = ledger
        self._shapes = shapes
        self._question = self._new_question()
        """The events of the run, by which the probe may select."""
        self._read = 0
        """Number of entries of the ledger's `happened` that are in the question."""
        self._before = ProbeReading(0, None)
        """The events that the consumer had stored before the run."""

    @property
    def selects(self) -> bool:
        """Whether the probe selects events, so that it has to know them."""
        return bool(self._probe.selection.placeholders)

    def close(self) -> None:
        """Close what only the probe itself uses."""
        close_probe(self._probe)

    async def remember_stored(self, upcoming: Iterable[Happened]) -> None:
        """Take what the consumer has stored by now as the state before the run. Raises `CouldNotTellError`.

        `upcoming` are the events of the run to come, for a probe that selects.
        """
        question = self._new_question()
        self._add(question, upcoming)
        self._before = await self._fetch(question)

    async def _learn_what_is_ignored(self) -> None:
        """Ask for the number of events that nobody has sent: there are some if the consumer does not select."""
        shape = self._shapes[0]
        nobodys = dict(shape.examples[0])
        for role in (Role.CLIENT, Role.MAILING, Role.MAIL):
            value = shape.get(nobodys, role)
            if isinstance(value, str | int):
                nobodys = shape.put(nobodys, role, draw_like(value, Random(f"nobody:{role}"), unique=True))
        about_nobody = self._new_question()
        about_nobody.add([nobodys])
        if await self._probe.ask(about_nobody):
            self._probe.selection.ignore_all()

    def _new_question(self) -> Question:
        return Question(self._shapes[0], self._campaign.now)

    def _add(self, question: Question, happened: Iterable[Happened]) -> None:
        if self.selects:
            for entry in happened:
                question.add(map(json_text.decode, entry.events), self._campaign.shape(entry.type))

    async def ask(self, claims: Sequence[ConsumerExpectation]) -> Probed:
        """Ask until the claims are met or the probe's time to settle is over. Raises `CouldNotTellError`."""

        async def ask() -> Probed | StoreMissingError:
            try:
                return await self._ask_once()
            except StoreMissingError as missing:
                return missing  # until the time to settle is over: a consumer that stores later may create it later

        def are_met(probed: Probed | StoreMissingError) -> bool:
            if isinstance(probed, StoreMissingError):
                return False
            position = self._ledger.next_position
            judged = (judge_consumer(claim, self._ledger, position, probed, self._shapes) for claim in claims)
            return all(outcome != "fail" for outcome, _, _ in judged)

        probed = await ask_until(ask, are_met, self._settle)
        if isinstance(probed, StoreMissingError):
            raise probed
        for claim in claims:
            if why := unrecognised_for(claim, self._ledger, probed, self._shapes, self._how_to_select):
                raise CouldNotTellError(f"{self._whose}: {why}")
        return probed

    async def _ask_once(self) -> Probed:
        happened = self._ledger.happened
        self._add(self._question, happened[self._read :])
        self._read = len(happened)
        account, before = await self._fetch(self._question), self._before
        if before.events is not None:
            ours = set(sent_events(self._ledger.happened).values())
            known = sum(event in ours for event in before.events)
            if known:
                raise CouldNotTellError(
                    f"{self._whose}: {known} of this run's events were there before it began, most likely "
                    "from an earlier run with the same seed and name: start the consumer afresh, or give another --seed"
                )
        newer = account.since(before)
        if newer.count < 0:
            raise CouldNotTellError(
                f"{self._whose}: the number of stored events fell from {before.count} to {account.count}"
            )
        if newer.events is None:
            return Probed(at=self._campaign.now, count=newer.count, events=None)
        # Other senders may use the same consumer at the same time.
        ours = set(sent_events(self._ledger.happened).values())
        events = self._campaign.masking.events(own_events(newer.events, ours, self._shapes), ours)
        return Probed(at=self._campaign.now, count=len(events), events=tuple(map(msgspec.Raw, events)))

    async def _fetch(self, question: Question) -> ProbeReading:
        try:
            if self.selects and not self._probe.reports_events:
                await self._learn_what_is_ignored()
            acknowledged = self._ledger.deliveries.delivered > 0
            found = await found_or_nothing(self._probe.ask(question), acknowledged=acknowledged)
        except CouldNotTellError as error:
            # The message may quote the consumer, and so a secret.
            kind = StoreMissingError if isinstance(error, StoreMissingError) else CouldNotTellError
            raise kind(self._campaign.masking.text(str(error))) from None
        if isinstance(found, int):
            return ProbeReading(found, None)
        # Without any events yet, a probe that selects was not asked.
        events = tuple(map(canonical, events_in(found)))
        return ProbeReading(len(events), events if self._probe.reports_events else None)


def _name_columns(first: str, spelled: str) -> str:
    return f"""name the columns of the query as the fields of the events, such as {spelled} AS "{first}\""""


class _Fetching:
    """Lets a probe send its requests as the campaign does."""

    def __init__(self, campaign: Campaign) -> None:
        self.faults = campaign.faults
        self.send = campaign.fetch

    async def aclose(self) -> None:
        """Do nothing: the connections are the campaign's."""


def _store_probe(definition: ProbeDefinition, campaign: Campaign) -> StoreProbe:
    probe = make_probe(
        _Fetching(campaign),
        url=definition.url,
        sql=definition.sql,
        query=definition.query,
        events=definition.events,
        count=definition.count,
        shapes=tuple(map(campaign.shape, EventType)),
        timeout=campaign.policy.timeout,
    )
    assert probe is not None, "a definition has a URL or a database"
    return probe
