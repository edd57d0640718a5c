"""Writing a scenario file that repeats what a sender did."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from mockcampaign.check.probes.sql_probe import SqlProbe
from mockcampaign.durations import format_duration, format_moment
from mockcampaign.engine.declared_faults import When, make_fault, write_fault
from mockcampaign.judging.consumer_store import Probe, canonical
from mockcampaign.masking import shown_url
from mockcampaign.model import Authentication, BasicAuthentication, EventType, KeyAuthentication, Webhook
from mockcampaign.policy import SECOND, Policy
from mockcampaign.shape.captured import PLACE_OF_EVENTS
from mockcampaign.shape.clues import fits
from mockcampaign.shape.field import Event, Value, written
from mockcampaign.shape.infer import columns_of
from mockcampaign.shape.shape import BATCH_EVENTS_MAX, Shape, whole
from mockcampaign.text import yaml_text
from mockcampaign.transport.address import NO_ROUTES, Routes, parse_address

BYTES_MAX = 900_000
"""Size in bytes above which no file is written: no scenario over a megabyte is read."""

PATIENCE = 30 * SECOND
"""Virtual milliseconds that three attempts take."""


class _Emitted(msgspec.Struct, frozen=True, kw_only=True):
    webhook: Webhook
    events: tuple[Event, ...]


class ScenarioWriter:
    """Collects steps of the scenario language, in order. While it is `paused`, it adds only webhooks."""

    def __init__(self, start: int, shape: Shape) -> None:
        """`start` is in milliseconds since 1970."""
        self._shape = shape
        self.paused = False
        self.is_complete = True
        """Whether a step of the scenario sends every request that was sent."""
        self._start = start
        self._steps: list[tuple[int, str | _Emitted]] = []
        """Steps, each after the id of its webhook, or 0 if it has none."""
        self._used: set[int] = set()
        self._advance = 0
        self.names: dict[int, str] = {}
        """Names of the webhooks in the scenario, by their ids."""
        self._emitted: set[int] = set()
        self._events: Counter[bytes] = Counter()
        self._mails: Counter[object] = Counter()

    @property
    def webhook_ids(self) -> dict[str, int]:
        """Ids of all webhooks that ever existed, by their names in the scenario."""
        return {name: webhook_id for webhook_id, name in self.names.items()}

    def webhook_activated(self, webhook: Webhook) -> None:
        """Add that a webhook was created and activated."""
        name = self.names[webhook.id] = f"hook{len(self.names) + 1}"
        auth = _auth(webhook.authentication)
        self._steps += [
            (webhook.id, f"create: {{{name}: {{type: {webhook.type}, client: {webhook.client_id}{auth}}}}}"),
            (webhook.id, f"activate: {name}"),
        ]

    def webhook_deleted(self, webhook: Webhook) -> None:
        """Add that a webhook was deactivated and deleted, and its pending events with it."""
        if webhook.id in self._emitted:
            self._emitted.remove(webhook.id)
            self._add(webhook, f"deactivate: {self.names[webhook.id]}")
            self._add(webhook, f"delete: {self.names[webhook.id]}")

    def events_emitted(self, webhook: Webhook, events: Sequence[Event]) -> None:
        """Add that exactly these events occurred."""
        if not self.paused:
            self._emitted.add(webhook.id)
            self._events.update(map(canonical, events))
            self._mails.update(self._shape.key(event) for event in events)
            self._used.add(webhook.id)
            self._add(webhook, _Emitted(webhook=webhook, events=tuple(events)))

    def time_passed(self, duration: int) -> None:
        """Add that this many milliseconds passed; at least one, in which the sender does what is due."""
        if not self.paused:
            self._advance += max(duration, 1)

    def fault_declared(self, kind: str, webhook: Webhook, options: Mapping[str, object]) -> None:
        """Add that a fault was declared. No step ends it: it ends after its `times`."""
        fault, when = make_fault(kind, **options)
        defaults = write_fault(type(fault)(), When())
        written = {name: value for name, value in write_fault(fault, when).items() if defaults.get(name) != value}
        shown = "".join(f", {name}: {json.dumps(value)}" for name, value in written.items())
        self._add(webhook, f"fault: {{kind: {kind}, webhook: {self.names[webhook.id]}{shown}}}")

    def outage_began(self, duration: int, webhook: Webhook) -> None:
        """Add that an outage of this many milliseconds began."""
        self._add(webhook, f"outage: {{for: {format_duration(duration)}, webhook: {self.names[webhook.id]}}}")

    def write(
        self,
        name: str,
        url: str,
        *,
        seed: int,
        policy: Policy,
        delivered: Mapping[int, int],
        all_accepted: Collection[int] = (),
        probe: Probe | SqlProbe | None,
        fields: Sequence[str],
        shape_of: Callable[[EventType], Shape | None],
        routes: Routes = NO_ROUTES,
        leads_clock: bool = False,
        remark: str = "",
    ) -> str | None:
        """Write a scenario that expects so many `delivered` events of each webhook, each stored once (with a probe).

        It expects that no other event is pending then, so that no run is advised to let more time pass, and 200 to
        every attempt of the webhooks in `all_accepted`. It compares these `fields`. `shape_of` returns the shape of
        events of a type; captured ones become part of the scenario. Comments are the `remark` and which `routes` are
        needed, and whether a clock is led, since a scenario contains neither. Return None if the file would be too
        long.
        """
        # With time for some more attempts, since short waits are not recorded to the millisecond.
        steps = [
            *(
                step if isinstance(step, str) else self._emit(step)
                for webhook_id, step in self._steps
                if webhook_id == 0 or webhook_id in self._used
            ),
            f"advance: {format_duration(self._advance + PATIENCE)}",
        ]
        expected = [
            f"{self.names[webhook_id]}: {{delivered: {count}, pending: 0"
            f"{', all: {outcome: 200}' * (webhook_id in all_accepted)}}}"
            for webhook_id, count in delivered.items()
        ]
        options = route_options_of(url, routes) + ["--clock FILE"] * leads_clock
        lines = [f"# Run this file with {' '.join(options)}"] if options else []
        lines += [f"# {remark}"] if remark else []
        lines += [f"name: {json.dumps(name)}", f"seed: {seed}", f"start: {format_moment(self._start)}"]
        if policy.timeout != Policy().timeout:
            lines.append(f"policy: {{timeout: {format_duration(policy.timeout)}}}")
        lines += self._shapes(policy, shape_of)
        lines += ["consumer:", f"  url: {_variable('HOOK_URL', shown_url(url))}"]
        if probe is not None:
            lines.append(f"  probe: {_probe(probe)}")
            total = self._events.total()
            expected.append(
                f"consumer: {{processed: exactly-once, fields: [{', '.join(map(yaml_text, sorted(fields)))}]}}"
                if len(self._events) == total
                # It is not documented whether identical events of one batch count once or several times.
                else f"consumer: {{processed: {{at_least: {len(self._events)}, at_most: {total}}}}}"
            )
        lines += ["steps:", *(f"  - {step}" for step in steps), f"  - expect: {{{', '.join(expected)}}}", ""]
        text = "\n".join(lines)
        return text if len(text) <= BYTES_MAX else None

    def _shapes(self, policy: Policy, shape_of: Callable[[EventType], Shape | None]) -> list[str]:
        """Return the lines for the captured shapes of the events, so that the file needs no other one."""
        emitted = (step for _, step in self._steps if isinstance(step, _Emitted))
        shapes = [shape_of(kind) for kind in dict.fromkeys(step.webhook.type for step in emitted)]
        body = f"{policy.body_prefix}{PLACE_OF_EVENTS}{policy.body_suffix}"
        lines = [_definition(shape, body) for shape in shapes if shape is not None and shape.is_captured]
        return ["shape:", *lines] if lines else []

    def _emit(self, step: _Emitted) -> str:
        webhook, events = step.webhook, step.events
        begin = f"emit: {{type: {webhook.type}, client: {webhook.client_id}"
        if len(events) > BATCH_EVENTS_MAX and all(self._mails[self._shape.key(event)] == 1 for event in events):
            # Among so many events, no single one matters for its fields.
            return f"{begin}, count: {len(events)}}}"
        return f"{begin}, new_mail_ids: true, events: {_json(events)}}}"

    def _add(self, webhook: Webhook, step: str | _Emitted) -> None:
        if not self.paused:
            if self._advance:
                self._steps.append((0, f"advance: {format_duration(self._advance)}"))
                self._advance = 0
            self._steps.append((webhook.id, step))


def of_batches(start: int, webhook: Webhook, batches: Sequence[Sequence[Event]], shape: Shape) -> ScenarioWriter:
    """Return the steps that deliver these batches one after another, and nothing else."""
    writer = ScenarioWriter(start, shape)
    writer.webhook_activated(webhook)
    for events in batches:
        writer.events_emitted(webhook, events)
        writer.time_passed(PATIENCE)
    return writer


def route_options_of(url: str, routes: Routes) -> list[str]:
    """Return the options of commands that stand for the routes of a consumer at this URL."""
    address = parse_address(url)
    options = [
        f"--resolve {host}:{port}:{f'[{found}]' if ':' in found else found}"
        for (host, port), found in routes.addresses.items()
    ]
    host_header = routes.host_headers.get((address.host, address.port))
    return options if host_header is None else [*options, f"--host-header {host_header}"]


def _definition(shape: Shape, body: str) -> str:
    """Return a captured shape as an entry of the key `shape`."""
    event = whole(shape, shape.examples[0])
    roles = {field.path: field.role for field in shape.fields}
    fields = ", ".join(
        f"{yaml_text(written(column.path))}: {role}"
        for column in columns_of([event])
        if (role := roles.get(column.path)) is not None and fits(role, column.example)
    )
    text = yaml_text(body.replace("$", "\\u0024"))
    return f"  - {{type: {shape.event_type}, body: {text}, fields: {{{fields}}}, events: {_json(event)}}}"


def _json(value: Value) -> str:
    """Return JSON as text of YAML, which reads some numbers and characters differently.

    It is without `${…}`, which means a variable.
    """
    text = json.dumps(value, separators=(",", ":")).replace("$", "\\u0024").replace("'", "''")
    return f"'{text}'"


def _variable(name: str, default: str) -> str:
    return json.dumps(f"${{{name}:-{default}}}")


def _probe(probe: Probe | SqlProbe) -> str:
    if isinstance(probe, Probe):
        return f"{{url: {_variable('PROBE_URL', shown_url(probe.url))}, events: {json.dumps(probe.events)}}}"
    # The URL of a database contains a password.
    query = json.dumps(probe.query).replace("$", "\\u0024")
    return f'{{sql: "${{PROBE_SQL}}", query: {query}}}'


def _auth(authentication: Authentication) -> str:
    match authentication:
        case BasicAuthentication():
            return ', auth: {basic: {username: "${HOOK_USER}", password: "${HOOK_PASSWORD}"}}'
        case KeyAuthentication(key=key):
            return f', auth: {{key: {{key: {json.dumps(key)}, passphrase: "${{HOOK_KEY}}"}}}}'
        case _:
            return ""
