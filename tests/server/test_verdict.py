"""The verdict on what a server has delivered so far, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from mockcampaign.samples.consumer import serve_consumer
from mockcampaign.server.consumer_probe import ProbeOptions
from servers import Server, running_server


def delivered(server: Server, url: str, count: int = 250) -> dict[str, Any]:
    """Deliver events, some of them twice, and return the verdict."""
    server.activated(f"{url}/hook")
    server.control("POST", "/faults", {"kind": "lost-ack", "times": 1})
    server.control("POST", "/emit", {"type": "open", "count": count})
    server.advance("1m")
    return verdict(server)


def verdict(server: Server, query: str = "") -> dict[str, Any]:
    answer = server.control("GET", f"/verdict{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def outcomes(found: dict[str, Any]) -> dict[str, str]:
    return {one["id"]: one["outcome"] for one in found["findings"]}


def test_a_correct_consumer_is_compliant_by_journal_and_store() -> None:
    with serve_consumer() as url, running_server(probe=ProbeOptions(url=f"{url}/processed")) as server:
        found = verdict(server)
        assert (found["verdict"], found["trouble"]) == ("could-not-tell", "no event was exported: none occurred")
        assert set(outcomes(found).values()) == {"not-exercised"}
        found = delivered(server, url)
    assert (found["verdict"], found["trouble"], found["deliveries"]["delivered"]) == ("compliant", None, 250)
    assert set(outcomes(found).values()) == {"pass"}


def test_a_consumer_that_stores_events_twice_is_found_by_its_store_alone() -> None:
    with serve_consumer("never-deduplicates") as url:
        with running_server(probe=ProbeOptions(url=f"{url}/processed")) as server:
            found = delivered(server, url)
            assert (found["verdict"], outcomes(found)["processed"]) == ("violated", "fail")
            assert found["findings"][-1]["actual"].startswith("100 duplicates")
            allowed = verdict(server, "?allow=processed")
            assert (allowed["verdict"], allowed["findings"][-1]["known"]) == ("compliant", True)
        with running_server() as server:
            assert "processed" not in outcomes(verdict(server))


def test_rules_about_the_journal_need_no_probe() -> None:
    with serve_consumer("responds-204") as url, running_server() as server:
        found = delivered(server, url)
        assert (found["verdict"], outcomes(found)["responds-200"]) == ("violated", "fail")
        wrong = server.control("GET", "/verdict?allow=responds-204")
    assert (wrong.status_code, wrong.json()["error"].partition(" (")[0]) == (
        400,
        "allow: unknown rule 'responds-204', did you mean 'responds-200'?",
    )


def test_a_probe_that_reports_nothing_is_inconclusive_and_shows_no_secret() -> None:
    with serve_consumer() as url, running_server(probe=ProbeOptions(url=f"{url}/nothing?token=s3cret")) as server:
        found = delivered(server, url)
    assert (found["verdict"], "s3cret" in str(found)) == ("could-not-tell", False)
    assert found["trouble"].endswith("responded 404, expected 200")


def test_dropped_entries_make_the_verdict_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.server.served_campaign.JOURNAL_ENTRIES_MAX", 3)
    with serve_consumer() as url, running_server() as server:
        found = delivered(server, url)
    assert (found["verdict"], found["dropped"] > 0) == ("could-not-tell", True)
    assert found["trouble"].startswith(f"the server has dropped the oldest {found['dropped']} entries of its journal")
