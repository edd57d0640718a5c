"""Batches that share rows at the same moment, and workers that do not share their memory."""

from __future__ import annotations

from checks import COUNT, checked
from mockcampaign.check.rules.overlap import AT_ONCE, PAIRS
from mockcampaign.check.rules.redelivery import REDELIVERED
from mockcampaign.judging.fact import SometimesRecognised
from mockcampaign.report.advice import SHARED_KEYS
from mockcampaign.samples.consumer import application, consumer_app
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Store

SHARED = ("stores-batches-that-share-rows",)
LOST = ("once-after-lost-response",)


def test_batches_share_mailings_and_recipients_and_are_of_few_mails() -> None:
    consumer = Consumer(Store(), None)
    [found] = checked(application(consumer), rules=SHARED).rules
    assert found.outcome == "pass"
    mailings: dict[object, set[object]] = {}
    for event in consumer.store.events():
        mailings.setdefault(event["mailingId"], set()).add(event["mailId"])
    mails = {mail for of in mailings.values() for mail in of}
    assert len(mails) >= PAIRS
    assert len([one for one in mailings.values() if len(one) > 1]) >= 8
    assert len(consumer.store) >= sum(AT_ONCE) * PAIRS


def test_a_batch_dropped_on_a_deadlock_is_missing() -> None:
    [found] = checked(consumer_app("drops-batch-on-deadlock"), rules=SHARED).rules
    assert found.outcome == "fail"
    assert found.identity == "missing after shared-rows"
    assert found.actual.startswith("After 2 batches of 32 events at the same moment, which name the same mailings and")
    assert found.fix is not None
    assert "Sort the rows" in found.fix


class FailsOnDeadlock(Consumer):
    """Responds 500 to every other batch beside others, as if it had lost a deadlock, and stores the retry."""

    batches = 0

    async def process(self, events: list[Event]) -> None:
        self.batches += 1
        if len(events) == PAIRS and self.batches % 2:
            raise ConnectionError("deadlock detected")
        await super().process(events)


def test_a_consumer_that_rejects_the_batch_that_lost_is_compliant() -> None:
    [found] = checked(application(FailsOnDeadlock(Store(), None)), rules=SHARED).rules
    assert found.outcome == "pass"


def test_workers_that_do_not_share_their_keys_are_told_apart_from_none() -> None:
    [found] = checked(consumer_app("workers-do-not-share-dedup-keys"), rules=LOST).rules
    assert found.outcome == "fail"
    [fact] = [fact for fact in found.facts if isinstance(fact, SometimesRecognised)]
    assert 0 < fact.recognised < fact.batches == REDELIVERED
    assert found.actual.endswith(
        f"recognised {fact.recognised} of 12 redelivered batches and stored the others again, as several workers or "
        "processes do that do not share their deduplication keys"
    )
    assert found.fix == SHARED_KEYS.text
    [never] = checked(consumer_app("never-deduplicates"), rules=LOST).rules
    assert not [fact for fact in never.facts if isinstance(fact, SometimesRecognised)]


def test_workers_are_found_by_the_number_of_events_as_well() -> None:
    [found] = checked(consumer_app("workers-do-not-share-dedup-keys"), probe=COUNT, rules=LOST).rules
    assert found.outcome == "fail"
