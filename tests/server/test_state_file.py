"""The state file: whatever happens, and whenever the process is killed, nothing accepted is lost or sent twice."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import initialize, rule

from builders import CLIENT, START
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Journal, Resumed
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import BasicAuthentication, EventType, Outcome, Responded, WebhookStatus
from mockcampaign.policy import Policy
from mockcampaign.server.state_file import StateFile, StateLostError
from test_conservation import Conservation, ModelWebhook

VERSIONS = {"mockcampaign": "0"}
FEW = Policy(batch_events_max=3)


def begun(path: Path, policy: Policy = FEW) -> tuple[Exporter, StateFile]:
    """A sender with a new state file."""
    file = StateFile(path)
    box = Exporter(policy=policy, seed=0, start=START, versions=VERSIONS, keeper=file)
    file.follow(box.journal)
    return box, file


def killed(file: StateFile, path: Path) -> StateFile:
    """What another process finds after this one was killed: what is committed, in a file of another name."""
    for suffix in ("", "-wal"):
        written = Path(f"{file.path}{suffix}")
        if written.exists():
            shutil.copy(written, f"{path}{suffix}")
    file.close()
    return StateFile(path)


def resumed(file: StateFile, policy: Policy = FEW) -> Exporter:
    kept = file.load()
    assert kept is not None
    journal = Journal(entries=kept.entries, dropped=kept.dropped)
    file.follow(journal)
    return Exporter(
        policy=policy,
        seed=0,
        start=kept.sender.now,
        versions=VERSIONS,
        journal=journal,
        first_webhook_id=kept.sender.next_webhook_id,
        keeper=file,
        kept=kept.sender,
    )


def occur(box: Exporter, count: int, *, after: int = 0) -> None:
    at = box.clock.now + after
    due = EventsDue(client_id=CLIENT, type=EventType.OPEN, payloads=tuple((at, b"{}") for _ in range(count)))
    if after:
        box.schedule(at, due)
    else:
        box.accept_events(due)


def delivered(box: Exporter, duration: int = 0, status: int = 200) -> list[list[int]]:
    """The serials of each batch that is sent within a time."""
    sent = []
    until = box.clock.now + duration
    while box.move(until):
        for attempt in box.start_due():
            sent.append([event.serial for event in attempt.events])
            box.complete_attempt(attempt, Responded(status))
    return sent


class KilledAgainAndAgain(Conservation):
    """The law of the sender, if its process is killed at any moment between two commands."""

    @initialize()
    def begin(self) -> None:
        super().begin()
        self.folder = Path(tempfile.mkdtemp())
        self.kills = 0
        self.retrying: set[int] = set()
        """Webhooks whose attempt under way is a retry."""
        self.box, self.file = begun(self.folder / "0", self.box.policy)

    @rule()
    def kill(self) -> None:
        self.kills += 1
        self.file.commit(self.box.clock.now)
        self.file = killed(self.file, self.folder / str(self.kills))
        self.box = resumed(self.file, self.box.policy)
        for webhook_id, webhook in self.model.items():
            if not webhook.out:
                continue
            # The attempt has no outcome, so its batch is due again.
            if webhook.status == "deleted":
                webhook.discarded |= {serial for _, serial in webhook.out}
            elif webhook_id in self.retrying:
                webhook.retry = webhook.out
            else:
                webhook.waiting += webhook.out
            webhook.out = []
        self._expire_model()

    def _start_model(self, webhook: ModelWebhook, outcome: Outcome) -> None:
        [webhook_id] = [key for key, value in self.model.items() if value is webhook]
        (self.retrying.add if webhook.retry else self.retrying.discard)(webhook_id)
        super()._start_model(webhook, outcome)

    def teardown(self) -> None:
        if hasattr(self, "file"):
            self.file.close()
            shutil.rmtree(self.folder)


TestKilledAgainAndAgain = KilledAgainAndAgain.TestCase
TestKilledAgainAndAgain.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
