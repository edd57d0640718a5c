"""A consumer that creates its database at its first request, and the probes that read it from the beginning."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from pathlib import Path

import pytest

from plugin_apps import App

QUERY = "SELECT mailId, mailingId, created FROM opens"
FIELDS = ("mailId", "mailingId", "created")


class LateDatabase(App):
    """Stores three fields of its events in SQLite. It creates file and table at its first request."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    async def before_response(self) -> None:
        with contextlib.closing(sqlite3.connect(self.path)) as made, made:
            made.execute("CREATE TABLE IF NOT EXISTS opens (event TEXT PRIMARY KEY, mailId, mailingId, created)")
            for event in self.events:
                row = (json.dumps(event, sort_keys=True), *(event.get(name) for name in FIELDS))
                made.execute("INSERT OR IGNORE INTO opens VALUES (?, ?, ?, ?)", row)
        self.events.clear()


class Misspelt:
    """What is misspelt of a probe, and what is said of it."""

    def __init__(self, file: str, query: str, message: str) -> None:
        self.file = file
        self.query = query
        self._message = message

    def url(self, folder: Path) -> str:
        return f"sqlite:///{folder / self.file}"

    def message(self, folder: Path) -> str:
        """Return a regular expression for the whole message."""
        return f"^{re.escape(self._message.format(path=folder / self.file))}$"


MISSPELT = [
    pytest.param(
        Misspelt(
            "shpo.sqlite",
            QUERY,
            "probe query: no file {path}, although the consumer has acknowledged events: correct the path if it is "
            "wrong, or let the consumer create the file before it responds",
        ),
        id="file",
    ),
    pytest.param(
        Misspelt(
            "shop.sqlite",
            QUERY.replace("opens", "open"),
            "probe query: no such table: open, although the consumer has acknowledged events: correct the query or "
            "the URL if it is wrong, or let the consumer create the table before it responds",
        ),
        id="table",
    ),
]
