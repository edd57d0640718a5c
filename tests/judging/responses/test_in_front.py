"""Distinguishing the consumer's own responses from those of what stands before it."""

from __future__ import annotations

import pytest

from mockcampaign.engine.journal import Attempted, Entry, Requested
from mockcampaign.judging.fact import InFront
from mockcampaign.judging.responses.in_front import SIGNATURES, accepting_software, in_front
from mockcampaign.model import Measured, NoResponse, Responded
from mockcampaign.report.sentences import actual


def attempt(status: int, server: str = "", body: bytes = b"") -> Attempted:
    outcome = Responded(status, body=body, measured=Measured(1, 1, 1, server=server))
    return Attempted(
        at=0, webhook_id=1, serials=((1, 1),), first_number=1, count=1, interval=0, took=0, outcome=outcome
    )


def test_another_server_than_that_of_accepted_batches_is_not_the_consumer() -> None:
    entries: list[Entry] = [attempt(200, "gunicorn"), attempt(413, "awselb/2.0")]
    own = accepting_software(entries)
    assert own == {"gunicorn"}
    found = in_front(entries, {200, 413}, own)
    assert found == InFront(status=413, software="Server: awselb/2.0", own="Server: gunicorn")
    assert actual([found]) == (
        "The 413 came from what stands before the consumer (Server: awselb/2.0, unlike accepted batches, "
        "Server: gunicorn)"
    )


@pytest.mark.parametrize(("part", "name"), SIGNATURES)
def test_known_pages_are_recognised_though_the_server_is_the_same(part: bytes, name: str) -> None:
    entries: list[Entry] = [attempt(200, "nginx"), attempt(403, "nginx", b"<html>" + part.upper())]
    found = in_front(entries, {403}, frozenset({"nginx"}))
    assert found is not None
    assert (found.software, found.own) == (name, "")


@pytest.mark.parametrize(
    ("entries", "own"),
    [
        ([attempt(200, "nginx"), attempt(500, "nginx", b"Internal Server Error")], {"nginx"}),
        ([attempt(500, "nginx")], set()),  # nobody knows what the consumer's own are like
        ([attempt(200, "gunicorn"), attempt(500)], {"gunicorn"}),
        ([attempt(413, "awselb/2.0"), attempt(500, "gunicorn")], {"gunicorn"}),  # another status than the finding's
    ],
)
def test_a_response_of_the_consumer_itself_is_left_to_it(entries: list[Entry], own: set[str]) -> None:
    assert in_front(entries, {500}, frozenset(own)) is None


def test_batches_accepted_without_a_server_header_say_so() -> None:
    found = in_front([attempt(403, "BigIP")], {403}, frozenset({""}))
    assert found is not None
    assert found.own == "no Server header"


def test_a_port_that_expects_https_is_named() -> None:
    page = b"<center>The plain HTTP request was sent to HTTPS port</center><hr><center>nginx/1.22.1</center>"
    found = in_front([attempt(400, "nginx", page)], {400}, frozenset())
    assert found == InFront(status=400, software="nginx", https_port=True)
    assert actual([found]).endswith("(nginx) because its port expects https")


def test_requests_that_campaign_never_sends_count_as_well() -> None:
    asked = Requested(at=0, method="GET", what="x", body_bytes=0, outcome=Responded(403, body=b"ModSecurity"))
    gone = Requested(at=0, method="GET", what="x", body_bytes=0, outcome=NoResponse("wait", "gone"))
    found = in_front([asked, gone], {403}, frozenset())
    assert found is not None
    assert found.software == "ModSecurity"
