"""Sending requests that Campaign never sends."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.reproduce.transcript import Sent
from mockcampaign.engine.journal import Requested
from mockcampaign.faults import NewConnection
from mockcampaign.judging.fact import Response, Stimulus, replies
from mockcampaign.model import Fault, Outcome, Request, TimedOut
from mockcampaign.report import sentences
from mockcampaign.transport import Transport


async def send_request(
    bench: Bench,
    what: Stimulus,
    body: bytes,
    *,
    method: str = "POST",
    headers: Iterable[tuple[str, str]] | None = None,
    authenticated: bool = True,
    credentials: str | None = None,
    faults: tuple[Fault, ...] = (),
    own_connection: bool = True,
    transport: Transport | None = None,
    controlled: bool = True,
) -> Outcome:
    """Send a request that Campaign never sends, and journal it; `what` says what is special about it.

    `credentials` are arguments of curl for the credentials in `headers`.

    The request gets a connection of its own, if there are connections, unless the rule is about what follows on the
    same one: a consumer that rejects it without reading its body would read the rest of that as the next request.

    If `controlled`, an ordinary batch follows where the consumer could not handle the request, as in `Bench.deliver`.
    """
    event_budget, settings = bench.context.event_budget, bench.settings
    event_budget.spend(body.count(msgspec.json.encode(bench.shape.key_fields[0].path[-1])))
    bench.recording.scenario.is_complete = False
    timeout = settings.timeout if faults else event_budget.timeout(settings.timeout)
    sent = Sent(body=body, faults=faults, timeout=timeout, method=method, credentials=credentials)
    bench.recording.transcript.note(sent)
    on_wire = (*faults, NewConnection()) if own_connection and NewConnection in bench.faults else faults
    sent_headers = [("Content-Type", "application/json")] if headers is None else list(headers)
    if authenticated:
        sent_headers += settings.authentication.headers()
    request = Request(
        method=method,
        url=bench.url,
        headers=tuple(sent_headers),
        body=body,
        timeout=timeout,
        response_body_bytes_kept=bench.campaign.policy.response_body_bytes_kept,
        faults=on_wire,
    )
    bench.sending = what
    bench.incidents.accepts = False  # what a batch meets after such a request says nothing about other batches
    bench.campaign.show_time()
    outcome = await (transport or bench.context.transport).send(request)
    bench.sending = None
    sent.outcome = outcome
    event_budget.timed_out += isinstance(outcome, TimedOut) and not sent.faults
    if isinstance(outcome, TimedOut) and not sent.faults:
        bench.unanswered.append(Response(to=what, replies=replies([outcome])))
    bench.webhook()  # masks its credentials, which the consumer may echo
    bench.campaign.journal.append(
        Requested(
            at=bench.campaign.now,
            method=method,
            what=sentences.stimulus(what),
            body_bytes=len(body),
            outcome=bench.campaign.masking.outcome(outcome),
        )
    )
    await bench.note_request(what, outcome, controlled=controlled and own_connection and not faults)
    return outcome
