"""The requests that deliver batches, and the credentials that no output may show."""

from __future__ import annotations

from collections import deque
from itertools import chain

import msgspec

from mockcampaign.engine.outbox import Attempt, Events
from mockcampaign.faults import WireFault
from mockcampaign.masking import Masking, url_secrets
from mockcampaign.model import Authentication, Request, Webhook, encode_batch
from mockcampaign.policy import Policy

PAST_SECRETS_MAX = 20
"""Number of changes of credentials whose former ones stay hidden. More would cost time at every response."""

BODIES_MAX = 16
"""Number of bodies kept: half a megabyte if each has a hundred events, which fits into a processor's cache."""


class Bodies:
    """Cache of the bodies that were encoded last: once for all retries of a batch and for all webhooks that send it."""

    def __init__(self, prefix: str = "[", suffix: str = "]") -> None:
        """`prefix` and `suffix` are the text before the first and after the last event."""
        self._prefix, self._suffix = prefix.encode(), suffix.encode()
        self._known: dict[int, tuple[Events, bytes]] = {}
        """Bodies by the serial of their first event."""

    def of(self, events: Events) -> bytes:
        """Return the request body of a batch."""
        if not events:
            return encode_batch(events, self._prefix, self._suffix)
        serial = events[0].serial
        known = self._known.get(serial)
        # Compared event by event, mostly by identity, so that a batch with the same first event is not mistaken for it.
        if known is not None and (known[0] is events or known[0] == events):
            return known[1]
        if known is None and len(self._known) >= BODIES_MAX:
            del self._known[next(iter(self._known))]
        body = encode_batch(events, self._prefix, self._suffix)
        self._known[serial] = events, body
        return body


class RequestBuilder:
    """Knows where each webhook sends to, and with which headers."""

    def __init__(self, policy: Policy, user_agent: str) -> None:
        self._policy = policy
        self._user_agent = user_agent
        self._urls: dict[int, str] = {}
        self._headers: dict[int, tuple[tuple[str, str], ...]] = {}
        self._sources: dict[int, tuple[str, Authentication]] = {}
        """Target and credentials of each webhook, from which all of this is made."""
        self._bodies = Bodies(policy.body_prefix, policy.body_suffix)
        self._secrets: dict[int, tuple[str, ...]] = {}
        """Secrets of each webhook."""
        self.has_secrets = False
        """Whether any webhook has had secrets."""
        self._past_secrets: deque[tuple[str, ...]] = deque(maxlen=PAST_SECRETS_MAX)
        # No cached property: once an object's `__dict__` is used, all its attributes are slower, for every attempt.
        self._masking: Masking | None = None

    @property
    def masking(self) -> Masking:
        """Hides the secrets of all webhooks, and of their newest changes: a consumer may echo them anywhere.

        It is made anew only when asked for after new credentials came: that takes as long as there are credentials.
        """
        if self._masking is None:
            self._masking = Masking(chain(*self._secrets.values(), *self._past_secrets))
        return self._masking

    def update(self, webhook: Webhook) -> None:
        """Send further requests of a new or changed webhook as it says now."""
        source = webhook.target_url, webhook.authentication
        if self._sources.get(webhook.id) == source:
            return  # only its status has changed
        self._sources[webhook.id] = source
        self._urls[webhook.id] = webhook.target_url
        self._headers[webhook.id] = (
            ("Content-Type", "application/json"),
            ("User-Agent", self._user_agent),
            *webhook.authentication.headers(),
        )
        secrets = (*webhook.authentication.secrets(), *url_secrets(webhook.target_url))
        known = self._secrets.get(webhook.id, ())
        if secrets != known:
            self._secrets[webhook.id] = secrets
            if known:
                self._past_secrets.append(known)
            self.has_secrets = bool(self.has_secrets or secrets)
            self._masking = None

    def for_attempt(self, attempt: Attempt) -> Request:
        """Return the request of an attempt, with the faults that the transport carries out."""
        request = self.for_events(attempt.webhook_id, attempt.batch if attempt.redelivered else attempt.events)
        if not attempt.faults:
            return request
        return msgspec.structs.replace(
            request, faults=tuple([fault for fault in attempt.faults if isinstance(fault, WireFault)])
        )

    def for_events(self, webhook_id: int, events: Events) -> Request:
        """Return the request that delivers these events."""
        return Request(
            method="POST",
            url=self._urls[webhook_id],
            headers=self._headers[webhook_id],
            body=self._bodies.of(events),
            timeout=self._policy.timeout,
            response_body_bytes_kept=self._policy.response_body_bytes_kept,
        )
