"""Learning, before any rule is examined, which bodies the consumer expects and which fields the probe reports."""

from __future__ import annotations

from collections.abc import Callable

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.examined import SkipRule
from mockcampaign.check.probes.question import Found
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.consumer_store import events_in
from mockcampaign.judging.difference import no_keys, selected_with
from mockcampaign.model import Responded
from mockcampaign.shape.shape import LIST, OBJECT, Body


async def accepted_body(bench_of: Callable[[Body], Bench]) -> Body:
    """Return whether the consumer expects a list of events or one event as an object.

    A captured object does not show it: it may be a body, or an event that somebody took from a list. It is a list, as
    the vendor documents, unless the consumer accepts only the object, or stores only that. `bench_of` returns a bench
    that sends such bodies.
    """
    accepted: list[Body] = []
    for body in (LIST, OBJECT):
        bench = bench_of(body)
        outcome = (await bench.deliver([bench.event()])).last
        if isinstance(outcome, Responded) and 200 <= outcome.status < 300:
            accepted.append(body)
            if await _is_stored(bench):
                return body
    return accepted[0] if accepted else LIST


async def _is_stored(bench: Bench) -> bool:
    if not bench.store.reports_events:
        return True  # as far as anybody can see
    try:
        return not await bench.store.difference()
    except CouldNotTellError:
        return False  # such as a whole list among the stored events


async def calibrated_fields(bench: Bench) -> frozenset[str]:
    """Deliver one event, and return the names of the fields that the probe then reports unchanged.

    Other fields are left to one rule alone, so that no other rule complains of them. Return the fields of the settings
    if the event is not stored. Raise `CouldNotTellError` if the probes cannot be read, or do not
    report what identifies a mail.
    """
    context = bench.context
    event = bench.event()
    question = bench.store.question
    question.add([event])
    if context.state is not None:
        await bench.store.noted(context.state, context.state.ask(question))
    for counter in context.counters:
        await bench.store.noted(counter.probe, counter.probe.ask(question))
    if context.probe is None:
        return context.shown_fields
    found = await bench.store.read()
    if isinstance(found, int):
        return context.shown_fields
    shape = bench.shape
    if any(shape.key(stored) == shape.key(event) for stored in events_in(found)):
        raise CouldNotTellError(
            "probe: events of this check were stored before it began, most likely by an earlier check with the same "
            "seed: restart the consumer with an empty store, or choose another --seed"
        )
    try:
        delivery = await bench.deliver([event])
        stored_events = await bench.store.stored_events() if delivery.accepted else []
    except SkipRule:
        return context.shown_fields
    if delivery.accepted and not stored_events:
        _require_keys(bench, await bench.store.read())
    if not stored_events:
        return context.shown_fields
    unchanged = {name for name in context.shown_fields if stored_events[0].get(name) == event.get(name)}
    return frozenset(unchanged | {field.path[0] for field in shape.key_fields})


def _require_keys(bench: Bench, found: Found) -> None:
    """Raise `CouldNotTellError` if there are elements in the store, but none of them names its mail."""
    rows = [] if isinstance(found, int) else events_in(found)
    if rows and all(bench.shape.key(row) is None for row in rows):
        names = [field.name for field in bench.shape.key_fields]
        raise CouldNotTellError(f"probe: {no_keys(rows, names, selected_with('--probe-events', '--probe-count'))}")
