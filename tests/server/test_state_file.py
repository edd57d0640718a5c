"""The state file: whatever happens, and whenever the process is killed, nothing accepted is lost or sent twice."""

from __future__ import annotations

import resource
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from builders import CLIENT, START
from mockcampaign.campaign import Campaign
from mockcampaign.clients.definitions import ClientDefinition, ListDefinition, RecipientDefinition
from mockcampaign.clients.optin_process import OptinType
from mockcampaign.clients.recipient_list import Recipient
from mockcampaign.clients.recipient_table import RecipientTable
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Journal, Resumed
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import BasicAuthentication, EventType, Outcome, Responded, WebhookStatus
from mockcampaign.policy import DAY, DEFAULT_CLIENT_ID, DEFAULT_START, Policy
from mockcampaign.server.kept_recipients import kept_in
from mockcampaign.server.state_file import APPLICATION_ID, StateFile, StateLostError
from mockcampaign.transport.always_ok import AlwaysOkTransport
from sent_mails import LIVELY, STEPS, play
from temporary import MEMORY
from test_conservation import Conservation, ModelWebhook

VERSIONS = {"mockcampaign": "0"}
RECIPIENT = RecipientDefinition(id="anna@example.com")
FEW = Policy(batch_events_max=3)


def begun(path: Path, policy: Policy = FEW) -> tuple[Exporter, StateFile]:
    """A sender with a new state file."""
    file = StateFile(path)
    box = Exporter(policy=policy, seed=0, start=START, versions=VERSIONS, keeper=file)
    file.follow(box.journal)
    return box, file


LEFT: list[StateFile] = []
"""What was opened after a kill, and has to be closed."""


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while LEFT:
        LEFT.pop().close()


def killed(file: StateFile, path: Path) -> StateFile:
    """What another process finds after this one was killed: what is committed, in a file of another name."""
    for suffix in ("", "-wal"):
        written = Path(f"{file.path}{suffix}")
        if written.exists():
            shutil.copy(written, f"{path}{suffix}")
    file.close()
    LEFT.append(StateFile(path))
    return LEFT[-1]


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


def occur(box: Exporter, count: int, *, after: int = 0, age: int = 0) -> None:
    at = box.clock.now + after
    due = EventsDue(client_id=CLIENT, type=EventType.OPEN, payloads=tuple((at - age, b"{}") for _ in range(count)))
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
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY))
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
TestKilledAgainAndAgain.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_webhook_comes_back_with_its_credentials_and_only_its_owner_can_read_them(tmp_path: Path) -> None:
    box, file = begun(tmp_path / "a")
    webhook = box.create(CLIENT, EventType.OPEN, "http://consumer/", BasicAuthentication("acme", "s3cret"))
    box.activate(CLIENT, webhook.id)
    file.commit(box.clock.now)
    assert (tmp_path / "a").stat().st_mode & 0o077 == 0
    [back] = resumed(killed(file, tmp_path / "b")).registry.all()
    assert back.authentication == webhook.authentication
    assert back.status is WebhookStatus.ACTIVATED


def test_what_is_not_committed_has_never_been(tmp_path: Path) -> None:
    box, file = begun(tmp_path / "a")
    first = box.create(CLIENT, EventType.OPEN, "http://consumer/")
    file.commit(box.clock.now)
    box.create(CLIENT, EventType.CLICK, "http://consumer/")
    assert [one.id for one in resumed(killed(file, tmp_path / "b")).registry.all()] == [first.id]


def test_a_rejected_batch_stays_together_and_keeps_its_moment(tmp_path: Path) -> None:
    box, file = begun(tmp_path / "a")
    box.activate(CLIENT, box.create(CLIENT, EventType.OPEN, "http://consumer/").id)
    occur(box, 2)
    assert delivered(box, status=500) == [[1, 2]]
    occur(box, 3)
    file.commit(box.clock.now)
    after = resumed(killed(file, tmp_path / "b"))
    assert delivered(after, 9_999) == []
    assert delivered(after, 1) == [[1, 2], [3, 4, 5]]


def test_a_batch_that_has_expired_delays_no_event_after_it(tmp_path: Path) -> None:
    box, file = begun(tmp_path / "a", Policy(event_age_max=11_000))
    box.activate(CLIENT, box.create(CLIENT, EventType.OPEN, "http://consumer/").id)
    occur(box, 2, age=5_000)
    assert delivered(box, 7_000, status=500) == [[1, 2]]
    occur(box, 1)
    file.commit(box.clock.now)
    after = resumed(killed(file, tmp_path / "b"))
    assert delivered(after) == [[3]]


def test_events_to_come_still_come_once(tmp_path: Path) -> None:
    box, file = begun(tmp_path / "a")
    box.activate(CLIENT, box.create(CLIENT, EventType.OPEN, "http://consumer/").id)
    occur(box, 1, after=5_000)
    occur(box, 2, after=9_000)
    assert delivered(box, 5_000) == [[1]]
    file.commit(box.clock.now)
    after = resumed(killed(file, tmp_path / "b"))
    assert delivered(after, 60_000) == [[2, 3]]


def test_the_journal_goes_on(tmp_path: Path) -> None:
    box, file = begun(tmp_path / "a")
    box.activate(CLIENT, box.create(CLIENT, EventType.OPEN, "http://consumer/").id)
    occur(box, 2)
    delivered(box)
    file.commit(box.clock.now)
    after = resumed(killed(file, tmp_path / "b"))
    assert after.journal.entries[:-1] == box.journal.entries
    assert isinstance(after.journal.entries[-1], Resumed)


def test_a_journal_without_its_oldest_entries_stays_so(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "a")
    journal = Journal(entries_max=8)
    box = Exporter(policy=FEW, seed=0, start=START, versions=VERSIONS, journal=journal, keeper=file)
    file.follow(journal)
    box.activate(CLIENT, box.create(CLIENT, EventType.OPEN, "http://consumer/").id)
    for _ in range(40):
        occur(box, 1)
        delivered(box)
        file.commit(box.clock.now)
    assert journal.dropped
    kept = killed(file, tmp_path / "b").load()
    assert kept is not None
    assert (kept.dropped, kept.entries) == (journal.dropped, journal.entries)


def test_only_what_is_pending_stays_in_the_file(tmp_path: Path) -> None:
    box, file = begun(tmp_path / "a")
    box.activate(CLIENT, box.create(CLIENT, EventType.OPEN, "http://consumer/").id)
    for _ in range(500):
        occur(box, 4)
        delivered(box)
        file.commit(box.clock.now)
    occur(box, 2)
    file.commit(box.clock.now)
    file.close()
    with sqlite3.connect(tmp_path / "a") as connection:
        assert list(connection.execute("SELECT first_serial FROM happened")) == [(2_001,)]
        assert list(connection.execute("SELECT count(*) FROM pending")) == [(1,)]
    connection.close()


def test_a_reset_leaves_nothing_but_the_ids(tmp_path: Path) -> None:
    box, file = begun(tmp_path / "a")
    box.activate(CLIENT, box.create(CLIENT, EventType.OPEN, "http://consumer/").id)
    occur(box, 2)
    file.commit(box.clock.now)
    file.clear()
    box = Exporter(policy=FEW, seed=0, start=START, versions=VERSIONS, keeper=file, first_webhook_id=2)
    file.follow(box.journal)
    file.commit(box.clock.now)
    kept = killed(file, tmp_path / "b").load()
    assert kept is not None
    assert (kept.sender.webhooks, kept.sender.scheduled, len(kept.entries)) == ((), (), 1)
    assert kept.sender.next_webhook_id == 2


# Files that are none of ours


def without_magic(path: Path) -> None:
    path.write_bytes(b"hello, world" * 1_000)


def of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customer (name)")
    connection.close()


def of_a_newer_version(path: Path) -> None:
    StateFile(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def damaged(path: Path) -> None:
    box, file = begun(path)
    box.activate(CLIENT, box.create(CLIENT, EventType.OPEN, "http://consumer/").id)
    occur(box, 2_000)
    file.commit(box.clock.now)
    file.close()
    content = bytearray(path.read_bytes())
    content[4_096:] = bytes(byte ^ 0x5A for byte in content[4_096:])
    path.write_bytes(content)


def with_values_of_other_types(path: Path) -> None:
    box, file = begun(path)
    box.create(CLIENT, EventType.OPEN, "http://consumer/")
    file.commit(box.clock.now)
    file.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE webhook SET value = 7")


def with_text_for_a_number(path: Path) -> None:
    with_values_of_other_types(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM webhook")
        connection.execute("UPDATE number SET value = 'x' WHERE name = 'now'")


def a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (without_magic, "file is not a database"),
        (of_another_program, "another program wrote it"),
        (of_a_newer_version, "a newer version of mockcampaign wrote it"),
        (damaged, "damaged|malformed"),
        (with_values_of_other_types, "damaged"),
        (with_text_for_a_number, "damaged"),
        (a_folder, "a folder, a pipe or a device"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line_and_stays_as_it_is(
    make: Callable[[Path], None], why: str, tmp_path: Path
) -> None:
    path = tmp_path / "state"
    make(path)
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(InvalidInputError, match=why) as refused, closing(StateFile(path)) as file:
        file.load()
    assert "\n" not in str(refused.value)
    assert "allowed: " in str(refused.value)
    assert before is None or path.read_bytes() == before


def test_a_file_that_is_in_use_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with closing(StateFile(path)), pytest.raises(InvalidInputError, match=r"state: another process uses it, allowed"):
        StateFile(path)
    before = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        for begin in ("BEGIN IMMEDIATE", "BEGIN"):
            connection.execute(begin)
            connection.execute("SELECT count(*) FROM journal").fetchall()
            with pytest.raises(InvalidInputError, match="another process uses it"):
                StateFile(path)
            connection.execute("ROLLBACK")
    assert path.read_bytes() == before
    StateFile(path).close()


@pytest.mark.skipif(sys.platform != "linux", reason="sets a limit of this process")
@pytest.mark.parametrize("version", [None, 3])
def test_a_full_disk_at_the_start_is_one_line_and_the_file_stays_as_it_is(version: int | None, tmp_path: Path) -> None:
    path = tmp_path / "state"
    if version is not None:
        StateFile(path).close()
        brought_back(path, version).close()
    before = path.read_bytes() if version else b""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(InvalidInputError, match=r"^--state: [^\n]*state: [^\n]*(disk|full)[^\n]*$"):
            StateFile(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    StateFile(path).close()


def test_a_full_disk_is_told_at_the_commit_and_the_file_stays_as_it_was(tmp_path: Path) -> None:
    box, file = begun(tmp_path / "a")
    box.activate(CLIENT, box.create(CLIENT, EventType.OPEN, "http://consumer/").id)
    occur(box, 2)
    file.commit(box.clock.now)
    file._connection.execute("PRAGMA max_page_count = 40")
    occur(box, 100_000)
    for _ in range(2):
        with pytest.raises(StateLostError, match="full"):
            file.commit(box.clock.now)
    after = resumed(killed(file, tmp_path / "b"))
    assert delivered(after) == [[1, 2]]


# Clients


def contents(campaign: Campaign) -> dict[str, dict[Any, Any]]:
    """Everything that the client of the campaign has, in order."""
    state = campaign.client().state
    tables = (state.campaigns, state.unsubscribes, state.mails)
    return {table.name[1]: dict(table) for table in tables} | {
        "recipients": {number: [*recipients.items()] for number, recipients in state.recipients.items()},
        "blocklist": {entry.pattern: entry for entry in state.blocklist},
        "counts": {number: state.counts(number) for number in state.campaigns},
        "bounces": {mail.facts.address: state.bounces(mail.facts.address) for mail in state.mails.values()},
        "agenda": {event.at: event for mail in state.mails.values() for event in mail.events},
    }


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEPS, max_size=20), seed=st.integers(0, 3))
def test_clients_go_on_as_if_nothing_had_happened(steps: list[Any], seed: int) -> None:
    campaign = play(steps, seed)
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        file = StateFile(Path(folder, "a"))
        equal = play(steps, seed, kept_in(file))
        file.follow(equal.journal)
        file.follow_clients(equal.clients)
        file.commit(equal.now)
        with closing(killed(file, Path(folder, "b"))) as file:
            kept = file.load()
            assert kept is not None
            definitions = {DEFAULT_CLIENT_ID: ClientDefinition(rates=LIVELY)}
            after = Campaign(
                AlwaysOkTransport(),
                seed=seed,
                clients=definitions,
                start=campaign.now,
                first_object_id=kept.next_object_id,
                kept=msgspec.structs.replace(kept.sender, start=DEFAULT_START),
                make_rows=kept_in(file),
            )
            after.clients.resume(kept.client_rows)
            assert contents(after) == contents(campaign)
            assert [*contents(after)["mails"]] == [*contents(campaign)["mails"]]
            later = campaign.now + 40 * DAY
            for one in (campaign, after):
                one.client().state.settle(later)
            assert contents(after) == contents(campaign)
            assert after.next_object_id == campaign.next_object_id


def test_a_recipient_and_the_event_of_the_opt_in_are_stored_together(tmp_path: Path) -> None:
    found = []
    for is_committed in (False, True):
        path = tmp_path / f"{is_committed}"
        file = StateFile(path)
        campaign = Campaign(AlwaysOkTransport(), keeper=file, make_rows=kept_in(file))
        file.follow(campaign.journal)
        file.follow_clients(campaign.clients)
        campaign.activate(campaign.create(EventType.SINGLEOPTIN, "http://consumer/"))
        client = campaign.client()
        list_id = client.state.find_list("Recipients").id
        [process] = [one.id for one in client.state.optin_processes.values() if one.type is OptinType.SINGLE]
        file.commit(campaign.now)
        client.add_recipient(list_id, "anna@example.com", optin_process_id=process)
        if is_committed:
            file.commit(campaign.now)
        after = killed(file, Path(f"{path}-after"))
        kept = after.load()
        assert kept is not None
        table = RecipientTable(kept_in(after)(campaign.client().state.client_id, list_id))
        found.append(([*table], [len(one.pending) for one in kept.sender.webhooks]))
    assert found == [([], [0]), (["anna@example.com"], [1])]


def test_what_was_there_from_the_start_and_is_gone_stays_away(tmp_path: Path) -> None:
    definitions = {DEFAULT_CLIENT_ID: ClientDefinition(lists=(ListDefinition(name="team", recipients=(RECIPIENT,)),))}
    file = StateFile(tmp_path / "a")
    campaign = Campaign(AlwaysOkTransport(), clients=definitions, make_rows=kept_in(file))
    team = campaign.client().state.find_list("team").id
    assert [*campaign.client().state.recipients[team]] == [RECIPIENT.id]
    campaign.client().remove_recipient(team, RECIPIENT.id)
    file.commit(campaign.now)
    file = killed(file, tmp_path / "b")
    after = Campaign(AlwaysOkTransport(), clients=definitions, make_rows=kept_in(file))
    assert [*after.client().state.recipients[team]] == []
    after.client().add_recipient(team, RECIPIENT.id)
    assert [*after.client().state.recipients[team]] == [RECIPIENT.id]


def brought_back(path: Path, version: int) -> sqlite3.Connection:
    """A file as an earlier version left it."""
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE declared")
    if version < 3:
        connection.execute("DROP TABLE recipient")
    if version < 2:
        connection.execute("DROP TABLE client_row")
    connection.execute(f"PRAGMA user_version = {version}")
    return connection


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_file_of_an_earlier_version_gets_what_is_new(version: int, tmp_path: Path) -> None:
    path = tmp_path / "state"
    box, file = begun(path)
    webhook = box.create(CLIENT, EventType.OPEN, "http://consumer/")
    file.commit(box.clock.now)
    file.close()
    brought_back(path, version).close()
    with closing(StateFile(path)) as file:
        kept = file.load()
        assert file.read("SELECT * FROM recipient") == []
    assert kept is not None
    assert [one.webhook for one in kept.sender.webhooks] == [webhook]
    assert kept.client_rows == []
    assert (kept.sender.declared, kept.sender.last_fault, kept.rotations) == ((), 0, [])


def test_a_file_of_a_killed_server_of_version_2_goes_on(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state")) as connection:
        connection.executescript(Path(__file__).with_name("state_version_2.sql").read_text())
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 2")
    defined = tuple(RecipientDefinition(id=f"{name}@example.com") for name in ("defined", "changed", "removed"))
    definitions = {DEFAULT_CLIENT_ID: ClientDefinition(lists=(ListDefinition(name="team", recipients=defined),))}
    for _ in range(2):
        with closing(StateFile(tmp_path / "state")) as file:
            kept = file.load()
            assert kept is not None
            after = Campaign(
                AlwaysOkTransport(),
                clients=definitions,
                journal=Journal(entries=kept.entries),
                kept=kept.sender,
                keeper=file,
                make_rows=kept_in(file),
            )
            file.follow(after.journal)
            file.follow_clients(after.clients)
            after.clients.resume(kept.client_rows)
            state = after.client().state
            team, others, of_mails = (
                state.recipients[state.find_list(name).id]
                for name in ("team", "Recipients", "Transactional recipients")
            )
            assert [*team] == ["defined@example.com", "changed@example.com"]
            assert team["changed@example.com"].data["firstname"] == "Ben"
            assert [*others] == ["added@example.com", "pending@example.com", "again@example.com"]
            assert [one.id for one in others.values() if one.is_pending] == ["pending@example.com"]
            assert (len(others), others.accessible_count) == (3, 2)
            assert [*of_mails] == ["open+sent@example.com"]
            assert [mail.facts.recipient_id for mail in after.client().mails()] == ["open+sent@example.com"]
            assert [after.pending_count(webhook) for webhook in after.webhooks.all()] == [2]
            assert len(kept.sender.scheduled) == 2
            file.commit(after.now)


def named(recipient_id: str, *, is_pending: bool) -> dict[str, object]:
    return {
        "id": recipient_id,
        "address": "anna@example.com",
        "data": {"firstname": "Anna"},
        "person": 7,
        "created": 1,
        "modified": 2,
        "optin_mail_id": "mail",
        "is_pending": is_pending,
    }


def test_recipients_of_an_earlier_version_are_still_there(tmp_path: Path) -> None:
    path = tmp_path / "state"
    StateFile(path).close()
    with closing(brought_back(path, 2)) as connection, connection:
        for name, key, value in (
            ("recipients of 20", "b", named("b", is_pending=False)),
            ("unsubscribes", "b", {}),
            ("recipients of 20", "a", named("a", is_pending=True)),
            ("recipients of 20", "c", None),
        ):
            encoded = None if value is None else msgspec.msgpack.encode(value)
            connection.execute(
                "INSERT INTO client_row (client_id, name, key, value) VALUES (10, ?, ?, ?)",
                (name, msgspec.msgpack.encode(key), encoded),
            )
    with closing(StateFile(path)) as file:
        table = RecipientTable(kept_in(file)(10, 20))
        table.define([msgspec.structs.replace(table["b"], id="c"), msgspec.structs.replace(table["b"], id="d")])
        assert [*table] == ["d", "b", "a"]
        assert table["a"] == Recipient(**named("a", is_pending=True))  # type: ignore[arg-type]
        assert (len(table), table.accessible_count) == (3, 2)
        assert file.read("SELECT name FROM client_row") == [("unsubscribes",)]


def test_a_damaged_recipient_of_an_earlier_version_is_refused_and_the_file_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "state"
    StateFile(path).close()
    with closing(brought_back(path, 2)) as connection, connection:
        connection.execute(
            "INSERT INTO client_row (client_id, name, key, value) VALUES (10, 'recipients of 20', ?, ?)",
            (msgspec.msgpack.encode("a"), msgspec.msgpack.encode({"id": 3})),
        )
    for _ in range(2):
        with pytest.raises(InvalidInputError, match="damaged"):
            StateFile(path)


def test_a_failed_read_is_an_error_of_the_file_and_nothing_is_written_after_it(tmp_path: Path) -> None:
    box, file = begun(tmp_path / "a")
    box.create(CLIENT, EventType.OPEN, "http://consumer/")
    file.commit(box.clock.now)
    with pytest.raises(StateLostError, match="no such table: absent"):
        file.read("SELECT * FROM absent")
    for refused in (lambda: file.commit(box.clock.now), lambda: file.read("SELECT 1")):
        with pytest.raises(StateLostError, match="no such table: absent"):
            refused()
    box.create(CLIENT, EventType.CLICK, "http://consumer/")
    assert len(resumed(killed(file, tmp_path / "b")).registry.all()) == 1
