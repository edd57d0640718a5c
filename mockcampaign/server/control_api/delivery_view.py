"""One delivery attempt in full, as the control API shows it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from mockcampaign.check.reproduce.curl import Endpoint, curl
from mockcampaign.engine.journal import Attempted, Entry, Happened, WebhookChanged, serials_in
from mockcampaign.model import Responded
from mockcampaign.report import sentences
from mockcampaign.server.control_api.entry_view import body_text
from mockcampaign.server.http.request import RequestRejectedError
from mockcampaign.server.pacer import AttemptKey
from mockcampaign.server.served_campaign import ServedCampaign

MASK = "***"


class RequestView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A request as it was sent, without its secrets."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: str | None
    """None if the server has dropped its events."""
    body_bytes: int | None


class ResponseView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The target's response."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    """The part of the body that the policy keeps."""
    body_bytes: int


class DeliveryView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One attempt in full."""

    position: int
    webhook_id: int
    number: int
    at: int
    took: int
    """Duration of the attempt, in virtual milliseconds."""
    wall_milliseconds: float | None
    """Duration in wall time, with connecting; None if the attempt used no socket or is too long ago."""
    bytes_sent: int | None
    bytes_received: int | None
    """Bytes on the socket, with heads and framing; None like `wall_milliseconds`."""
    faults: tuple[str, ...]
    """Kinds of the faults that hit the attempt. `request` does not show what they change on the wire."""
    request: RequestView
    response: ResponseView | None
    outcome: str
    accepted: bool
    curl: str | None
    """Command that repeats the request, with the credentials from the environment; None if the events were dropped."""


def delivery_view(served: ServedCampaign, position: int, number: int | None) -> DeliveryView:
    """Return an attempt of the entry at a position: the last one without a number.

    Raises `RequestRejectedError` with 404 if there is none.
    """
    held = served.hub.journal
    index = position - held.dropped
    found = held.entries[index] if 0 <= index < len(held.entries) else None
    if not isinstance(found, Attempted):
        gone = f"; positions below {held.dropped} are dropped" if held.dropped else ""
        raise RequestRejectedError(404, f"position {position} holds no attempt{gone}")
    last = found.first_number + found.count - 1
    number = last if number is None else number
    if not found.first_number <= number <= last:
        raise RequestRejectedError(
            404, f"attempt {number} is not at position {position}, allowed: {found.first_number} to {last}"
        )
    at = found.at + (number - found.first_number) * found.interval
    request = _request(served, found, index)
    response = None
    if isinstance(found.outcome, Responded):
        response = ResponseView(
            status=found.outcome.status,
            headers=list(found.outcome.headers),
            body=body_text(found.outcome.body),
            body_bytes=found.outcome.body_bytes,
        )
    [serial, _], *_ = found.serials or found.redelivered
    key = AttemptKey(found.webhook_id, at, number, serial, duplicate=not found.serials)
    measured = served.pacer.measured.get(key)
    return DeliveryView(
        position=position,
        webhook_id=found.webhook_id,
        number=number,
        at=at,
        took=found.took,
        wall_milliseconds=None if measured is None else measured.microseconds / 1_000,
        bytes_sent=None if measured is None else measured.bytes_sent,
        bytes_received=None if measured is None else measured.bytes_received,
        faults=found.faults,
        request=request,
        response=response,
        outcome=sentences.outcome(found.outcome),
        accepted=found.outcome.accepted,
        curl=None if request.body is None else _command(served, found.webhook_id, request, request.body),
    )


def _request(served: ServedCampaign, attempted: Attempted, index: int) -> RequestView:
    webhook = served.campaign.webhook(attempted.webhook_id)
    bare = served.campaign.request(webhook, ())
    secret_names = {name for name, _ in webhook.authentication.headers()}
    entries = served.hub.journal.entries
    url = next(
        (
            change.target_url
            for change in reversed(entries[:index])
            if isinstance(change, WebhookChanged) and change.webhook_id == attempted.webhook_id
        ),
        bare.url,
    )
    body = _body(entries[:index], attempted)
    return RequestView(
        method=bare.method,
        url=url,
        headers=[(name, MASK if name in secret_names else text) for name, text in bare.headers],
        body=None if body is None else body.decode(),
        body_bytes=None if body is None else len(body),
    )


def _body(before: Iterable[Entry], attempted: Attempted) -> bytes | None:
    """Return the batch, joined again from the events in earlier entries; None if some of them are dropped."""
    wanted = list(serials_in((*attempted.serials, *attempted.redelivered)))
    if attempted.serials and attempted.redelivered:
        wanted.sort()  # redelivered events stand among the others by age, which is the order of serials
    payloads = payloads_of(before, wanted)
    if not all(serial in payloads for serial in wanted):
        return None
    return b"[" + b",".join(bytes(payloads[serial]) for serial in wanted) + b"]"


def payloads_of(entries: Iterable[Entry], serials: Collection[int]) -> dict[int, msgspec.Raw]:
    """Return the events of these serials, as far as the entries contain them."""
    payloads: dict[int, msgspec.Raw] = {}
    first, last = min(serials, default=1), max(serials, default=0)
    for happened in entries:
        if isinstance(happened, Happened):
            start = happened.first_serial
            lowest = max(first, start)
            for serial in range(lowest, min(last, start + len(happened.events) - 1) + 1):
                payloads[serial] = happened.events[serial - start]
    return payloads


def _command(served: ServedCampaign, webhook_id: int, request: RequestView, body: str) -> str:
    headers = tuple(f"{name}: {text}" for name, text in request.headers if text != MASK)
    endpoint = Endpoint(url=request.url, authentication=served.campaign.webhook(webhook_id).authentication)
    return curl(endpoint, body.encode(), headers=headers)
