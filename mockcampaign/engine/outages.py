"""Declared outages: which of them an attempt meets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from mockcampaign.engine.journal import OutageDeclared, OutageEnded
from mockcampaign.faults import FAULTS, OUTAGES
from mockcampaign.model import Fault

_FAULTS_OF_OUTAGE: dict[str, tuple[Fault, ...]] = {kind: (FAULTS[kind](),) for kind in OUTAGES}


class Outage(msgspec.Struct, tag="outage", eq=False):
    """A declared outage that has not passed."""

    declared: OutageDeclared
    ended_ids: set[int]
    """Webhooks for which it was ended before its time."""

    def concerns(self, webhook_id: int, now: int) -> bool:
        """Whether an attempt of the webhook that starts now meets the outage."""
        ids = self.declared.webhook_ids
        return (
            self.declared.at <= now < self.declared.until
            and (not ids or webhook_id in ids)
            and webhook_id not in self.ended_ids
        )


def _ignore(outage: Outage) -> None:
    pass


class Outages:
    """The outages in the order of their declaration. Of several that concern a webhook, the latest one decides."""

    def __init__(
        self, *, on_change: Callable[[Outage], object] = _ignore, on_end: Callable[[Outage], object] = _ignore
    ) -> None:
        """`on_change` is notified of each outage that begins, or ends for some webhooks; `on_end` of its end."""
        self._on_change = on_change
        self._on_end = on_end
        self.declared: list[Outage] = []
        """Empty: no attempt meets an outage, so that nobody needs to ask."""

    def resume(self, declared: Sequence[Outage], now: int) -> None:
        """Go on with outages of another process."""
        self.declared = [*declared]
        self._forget_passed(now)

    def declare(self, kind: str, now: int, until: int, webhook_ids: tuple[int, ...]) -> OutageDeclared:
        """Begin an outage of these webhooks (none named: of all) that lasts until a moment, not included."""
        declared = OutageDeclared(at=now, until=until, kind=kind, webhook_ids=webhook_ids)
        self._forget_passed(now)
        self.declared.append(Outage(declared, set()))
        self._on_change(self.declared[-1])
        return declared

    def end(self, now: int, webhook_ids: tuple[int, ...]) -> OutageEnded:
        """End the outages of these webhooks (none named: of all)."""
        for outage in [*self.declared]:
            if webhook_ids:
                outage.ended_ids.update(webhook_ids)
                self._on_change(outage)
            else:
                self._end(outage)
        return OutageEnded(at=now, webhook_ids=webhook_ids)

    def _forget_passed(self, now: int) -> None:
        for passed in [outage for outage in self.declared if outage.declared.until <= now]:
            self._end(passed)

    def _end(self, outage: Outage) -> None:
        self.declared.remove(outage)
        self._on_end(outage)

    def current(self, webhook_id: int, now: int) -> OutageDeclared | None:
        """Return the outage that an attempt of the webhook meets now, or None."""
        for outage in reversed(self.declared):
            if outage.concerns(webhook_id, now):
                return outage.declared
        return None

    def faults(self, webhook_id: int, now: int) -> tuple[Fault, ...]:
        """Return the current outage as the fault that hits an attempt of the webhook; empty if there is none."""
        current = self.current(webhook_id, now)
        return () if current is None else _FAULTS_OF_OUTAGE[current.kind]
