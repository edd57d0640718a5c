"""Says why a run has stopped: what the consumer responded to every attempt, and what to try."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mockcampaign.engine.journal import Entry
from mockcampaign.judging.fact import AnyFact, Reply, Response, Stimulus
from mockcampaign.judging.responses.in_front import in_front
from mockcampaign.judging.responses.rejections import NothingAccepted
from mockcampaign.judging.responses.response_body import response_body
from mockcampaign.judging.situation import Situation
from mockcampaign.masking import shown_url
from mockcampaign.model import NoAuthentication, Responded, Webhook
from mockcampaign.report import sentences
from mockcampaign.report.advice import advice
from mockcampaign.text import counted

UNAUTHORISED = (401, 403)


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """How the caller names things in its own words."""

    run: str
    """The call or step that stopped."""
    credentials: str
    """How a webhook gets credentials."""
    go_on: str
    """Replacement for someone who intends rejections."""


def why_stopped(door: Door, rejected: NothingAccepted, webhook: Webhook, entries: Sequence[Entry]) -> str:
    """Return why a run stopped before its end, in one line."""
    reply = Reply.of(rejected.outcome)
    batch = Stimulus(situation=Situation.BATCH, events=rejected.events)
    facts: list[AnyFact] = [Response(to=batch, replies=(reply,))]
    said = response_body(entries, {reply.status})
    before = in_front(entries, {reply.status}, frozenset())
    more = [one for one in (before, said if before is None else None) if one is not None]
    quoted = f" ({sentences.actual(more)})" if more else ""
    has_credentials = not isinstance(webhook.authentication, NoAuthentication)
    fix = advice("responds-200", "", [*facts, *more])
    if reply.status in UNAUTHORISED:
        first = (
            "Compare the webhook's credentials with those that the consumer demands."
            if has_credentials
            else f"The webhook has no credentials: if the consumer demands some, give them ({door.credentials})."
        )
        fix = " ".join(filter(None, (first, fix if reply.status == 403 else "")))
    url, attempts = shown_url(webhook.target_url), counted(rejected.attempts, "attempt")
    subject = "it " if isinstance(rejected.outcome, Responded) else ""
    ended = subject + sentences.attempt(rejected.outcome)
    return (
        f"{door.run} stopped after {attempts}, because the consumer {url} has accepted nothing: {ended}{quoted}. "
        f"{fix} If rejections are intended, write {door.go_on}"
    )
