"""Consumers that score recipients by their opens: a correct one, and one that takes mailId for the id of an event."""

import json
from collections import Counter
from typing import Any


class Scores:
    """A WSGI application that counts each open once, however often its batch is redelivered."""

    def __init__(self) -> None:
        self.scores = Counter[str]()
        self.seen = Counter[str]()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.take(json.loads(environ["wsgi.input"].read()))
        start_response("200 OK", [])
        return []

    def take(self, batch: list[dict[str, Any]]) -> None:
        times = Counter[str]()
        for event in batch:
            key = json.dumps(event, sort_keys=True)
            times[key] += 1
            if times[key] > self.seen[key]:
                self.seen[key] += 1
                self.scores[event["recipientId"]] += 1


class ScoresByMail(Scores):
    """The bug: "a mail that was opened before need not be counted again"."""

    def take(self, batch: list[dict[str, Any]]) -> None:
        for event in batch:
            if event["mailId"] not in self.seen:
                self.seen[event["mailId"]] = 1
                self.scores[event["recipientId"]] += 1
