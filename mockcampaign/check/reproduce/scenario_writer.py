"""What a sender did, as a scenario file that does it again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import msgspec

from mockcampaign.check.examined import Event
from mockcampaign.durations import format_duration, format_moment
from mockcampaign.engine.declared_faults import When, make_fault, write_fault
from mockcampaign.events.fields import BATCH_EVENTS_MAX
from mockcampaign.judging.consumer_store import Probe, canonical
from mockcampaign.model import Authentication, BasicAuthentication, KeyAuthentication, Webhook
from mockcampaign.policy import SECOND, Policy

BYTES_MAX = 900_000
"""A longer file is not written: none over a megabyte is read."""

PATIENCE = 30 * SECOND
"""Virtual time for three attempts."""


class _Emitted(msgspec.Struct, frozen=True, kw_only=True):
    webhook: Webhook
    events: tuple[Event, ...]


class History:
    """Steps of the scenario language, in order. While it is `paused`, only webhooks are added."""

    def __init__(self, start: int) -> None:
        """`start` in milliseconds since 1970."""
        self.paused = False
        self.complete = True
        """Whether nothing was sent that no step of a scenario sends."""
        self._start = start
        self._steps: list[tuple[int, str | _Emitted]] = []
        """Each with the webhook that it is of; 0 where it is of none."""
        self._used: set[int] = set()
        self._advance = 0
        self.names: dict[int, str] = {}
        """Of the webhooks, by their ids."""
        self._emitted: set[int] = set()
        self._events: Counter[bytes] = Counter()
        self._mails: Counter[object] = Counter()

    def webhook(self, webhook: Webhook) -> None:
        """It was created, and activated."""
        name = self.names[webhook.id] = f"hook{len(self.names) + 1}"
        auth = _auth(webhook.authentication)
        self._steps += [
            (webhook.id, f"create: {{{name}: {{type: {webhook.type}, client: {webhook.client_id}{auth}}}}}"),
            (webhook.id, f"activate: {name}"),
        ]

    def discarded(self, webhook: Webhook) -> None:
        """What it still had to deliver was given up, and so was the webhook."""
        if webhook.id in self._emitted:
            self._emitted.remove(webhook.id)
            self._add(webhook, f"deactivate: {self.names[webhook.id]}")
            self._add(webhook, f"delete: {self.names[webhook.id]}")

    def emitted(self, webhook: Webhook, events: Sequence[Event]) -> None:
        """Exactly these events happened."""
        if not self.paused:
            self._emitted.add(webhook.id)
            self._events.update(map(canonical, events))
            self._mails.update(event.get("mailId") for event in events)
            self._used.add(webhook.id)
            self._add(webhook, _Emitted(webhook=webhook, events=tuple(events)))

    def advanced(self, duration: int) -> None:
        """Time passed, if only to let happen what is due."""
        if not self.paused:
            self._advance += max(duration, 1)

    def fault(self, kind: str, webhook: Webhook, options: Mapping[str, object]) -> None:
        """A fault was declared; it does not end with a step, but after its `times`."""
        fault, when = make_fault(kind, **options)
        defaults = write_fault(type(fault)(), When())
        written = {name: value for name, value in write_fault(fault, when).items() if defaults.get(name) != value}
        said = "".join(f", {name}: {json.dumps(value)}" for name, value in written.items())
        self._add(webhook, f"fault: {{kind: {kind}, webhook: {self.names[webhook.id]}{said}}}")

    def outage(self, duration: int, webhook: Webhook) -> None:
        """An outage was declared."""
        self._add(webhook, f"outage: {{for: {format_duration(duration)}, webhook: {self.names[webhook.id]}}}")

    def scenario(
        self,
        name: str,
        url: str,
        *,
        seed: int,
        policy: Policy,
        delivered: Mapping[int, int],
        answered: Collection[int] = (),
        probe: Probe | None,
        by: Sequence[str],
    ) -> str | None:
        """The file, which expects so many delivered events of each webhook and, with a probe, each of them once.

        Of the webhooks in `answered`, every attempt has to be answered with 200. Events are compared `by` these fields.
        None where the file would be too long.
        """
        # With time for some more attempts, as what was only waited for a moment is not told to the millisecond here.
        steps = [
            *(
                step if isinstance(step, str) else self._emit(step)
                for webhook_id, step in self._steps
                if webhook_id == 0 or webhook_id in self._used
            ),
            f"advance: {format_duration(self._advance + PATIENCE)}",
        ]
        expected = [
            f"{self.names[webhook_id]}: {{delivered: {count}{', all: {outcome: 200}' * (webhook_id in answered)}}}"
            for webhook_id, count in delivered.items()
        ]
        lines = [f"name: {json.dumps(name)}", f"seed: {seed}", f"start: {format_moment(self._start)}"]
        if policy.timeout != Policy().timeout:
            lines.append(f"policy: {{timeout: {format_duration(policy.timeout)}}}")
        lines += ["consumer:", f"  url: {_variable('HOOK_URL', url)}"]
        if probe is not None:
            lines.append(f"  probe: {{url: {_variable('PROBE_URL', probe.url)}, events: {json.dumps(probe.events)}}}")
            total = self._events.total()
            expected.append(
                f"consumer: {{processed: exactly-once, by: [{', '.join(sorted(by))}]}}"
                if len(self._events) == total
                # Nobody says how often equal events count that are of one list.
                else f"consumer: {{processed: {{at_least: {len(self._events)}, at_most: {total}}}}}"
            )
        lines += ["steps:", *(f"  - {step}" for step in steps), f"  - expect: {{{', '.join(expected)}}}", ""]
        text = "\n".join(lines)
        return text if len(text) <= BYTES_MAX else None

    def _emit(self, step: _Emitted) -> str:
        webhook, events = step.webhook, step.events
        begin = f"emit: {{type: {webhook.type}, client: {webhook.client_id}"
        if len(events) > BATCH_EVENTS_MAX and all(self._mails[event.get("mailId")] == 1 for event in events):
            # Of so many, none is there for what is in it.
            return f"{begin}, count: {len(events)}}}"
        # As text, since YAML has another mind of some numbers and characters; and no ${…} must be seen in it.
        text = json.dumps(events, separators=(",", ":")).replace("$", "\\u0024").replace("'", "''")
        return f"{begin}, new_mail_ids: true, events: '{text}'}}"

    def _add(self, webhook: Webhook, step: str | _Emitted) -> None:
        if not self.paused:
            if self._advance:
                self._steps.append((0, f"advance: {format_duration(self._advance)}"))
                self._advance = 0
            self._steps.append((webhook.id, step))


def of_lists(start: int, webhook: Webhook, lists: Sequence[Sequence[Event]]) -> History:
    """Some lists, one after another, and nothing else."""
    history = History(start)
    history.webhook(webhook)
    for events in lists:
        history.emitted(webhook, events)
        history.advanced(PATIENCE)
    return history


def _variable(name: str, default: str) -> str:
    return json.dumps(f"${{{name}:-{default}}}")


def _auth(authentication: Authentication) -> str:
    match authentication:
        case BasicAuthentication():
            return ', auth: {basic: {username: "${HOOK_USER}", password: "${HOOK_PASSWORD}"}}'
        case KeyAuthentication(key=key):
            return f', auth: {{key: {{key: {json.dumps(key)}, passphrase: "${{HOOK_KEY}}"}}}}'
        case _:
            return ""
