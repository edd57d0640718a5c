"""Ways to give bad credentials: each has a stable id, by which findings are compared, and its own description."""

from __future__ import annotations

import itertools
import re
from base64 import b64decode
from types import SimpleNamespace
from typing import cast

import pytest

from consumers.started import USER
from judged import checked_in_process, settings
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.rules import authentication
from mockcampaign.check.rules.authentication import Given, Headers
from mockcampaign.model import Authentication, BasicAuthentication, KeyAuthentication
from mockcampaign.report import sentences


def ways(credentials: Authentication) -> list[Given]:
    bench = cast(Bench, SimpleNamespace(settings=SimpleNamespace(authentication=credentials)))
    return [*authentication._wrong(bench), *authentication._missing(bench), *authentication._malformed(bench)]


@pytest.mark.parametrize(
    ("credentials", "count"),
    [
        (BasicAuthentication("Anna", "geheim"), 17),
        (BasicAuthentication("1", "2"), 14),
        (KeyAuthentication("X-Token", "geheim"), 7),
        (KeyAuthentication("Authorization", "Bearer geheim"), 10),
    ],
)
def test_each_has_an_id_and_a_description_of_its_own(credentials: Authentication, count: int) -> None:
    given = ways(credentials)
    assert len({one.what for one in given}) == len({sentences.stimulus(one.stimulus) for one in given}) == count
    for one in given:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one.what)
        assert one.what not in sentences.stimulus(one.stimulus)


def test_accepted_ones_are_listed_in_one_sentence_and_identified_one_by_one() -> None:
    result = checked_in_process("strips-credentials", settings(1, rules=("rejects-wrong-credentials",)))
    [finding] = result.rules
    assert finding.actual == "Responded 200 to a batch with the password followed by a space"
    assert finding.identity == "200 to credentials[password-plus-space]"
    result = checked_in_process("ignores-credential-case", settings(1, rules=("rejects-wrong-credentials",)))
    [finding] = result.rules
    assert finding.actual == (
        "Responded 200 to a batch with the user name in the other case and one letter of the password in the other case"
    )
    assert finding.identity == (
        "200 to credentials[user-in-other-case]; 200 to credentials[password-letter-in-other-case]"
    )


def test_events_stored_from_a_rejected_request_are_no_duplicates() -> None:
    result = checked_in_process("stores-before-authenticating", settings(1, rules=("stores-nothing-unauthorised",)))
    [finding] = result.rules
    assert finding.actual == "Responded 401 to a batch with no credentials; stored 2 events of it anyway"
    assert finding.identity == "401 to credentials[no-credentials]; stored-anyway"


@pytest.mark.parametrize("rhythm", ["10", "1100", "1111111110", "1" * 10 + "0" * 10])
def test_a_machine_with_a_rhythm_makes_no_consumer_reveal_credentials(
    monkeypatch: pytest.MonkeyPatch, rhythm: str
) -> None:
    beats = itertools.cycle(rhythm)

    async def time(*_: object) -> float:
        return 10_000 if next(beats) == "1" else 1_000

    monkeypatch.setattr(authentication, "_time", time)
    result = checked_in_process(None, settings(1, rules=("compares-credentials-in-constant-time",)))
    [finding] = result.rules
    assert finding.outcome == "pass", finding.actual


def test_a_consumer_that_takes_longer_for_nearly_right_credentials_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def time(_: Bench, what: str, headers: Headers) -> float:
        near = what == "right-user-name" and _decoded(headers).startswith(USER)
        return 10_000 if near else 1_000

    monkeypatch.setattr(authentication, "_time", time)
    result = checked_in_process(None, settings(1, rules=("compares-credentials-in-constant-time",)))
    [finding] = result.rules
    assert (finding.outcome, finding.actual) == ("warn", "Rejected the right user name 9 ms later than a wrong one")


def _decoded(headers: Headers) -> str:
    [(_, value)] = headers
    return b64decode(value.removeprefix("Basic ")).decode()
