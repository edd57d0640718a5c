"""A server whose state file has a million recipients, and events that are pending."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from many_recipients import add_many, address_of
from mockcampaign.policy import DEFAULT_CLIENT_ID, DEFAULT_PASSWORD, DEFAULT_USER
from recording_consumer import recording_consumer
from serve_process import Serving, control, serving

RECIPIENTS, PENDING = 1_000_000, 100_000
START_SECONDS_MAX = 3.0
"""Most processor time until the server responds."""
MEGABYTES_MAX, READING_MEGABYTES_MAX = 250, 30
"""Most memory in all, and what lists and look-ups may add to that of the start."""


def rest(server: Serving, method: str, path: str, **form: str) -> Any:
    response = requests.request(
        method,
        f"{server.url}/rest/{DEFAULT_CLIENT_ID}{path}",
        data=form,
        auth=(DEFAULT_USER, DEFAULT_PASSWORD),
        timeout=60,
    )
    assert response.ok, response.text
    return response.json()


def processor_seconds(server: Serving) -> float:
    return int(Path(f"/proc/{server.process.pid}/schedstat").read_text().split()[0]) / 1e9


def peak_megabytes(server: Serving) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    [peak] = [line for line in status if line.startswith("VmHWM:")]
    return int(peak.split()[1]) / 1_024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the processor time and memory of another process")
def test_a_million_recipients_delay_no_start_and_fill_no_memory(tmp_path: Path) -> None:
    with recording_consumer() as consumer:
        with serving("--state", "state", "--virtual", "--quiet", folder=tmp_path) as server:
            form = {"type": "open", "targetUrl": consumer.url, "format": "json"}
            webhook = rest(server, "POST", "/webhooks", **form)["id"]
            rest(server, "POST", f"/webhooks/{webhook}/activate")
            lists = rest(server, "GET", "/recipientlists")["elements"]
            [list_id] = [one["id"] for one in lists if not one["forTransactionApi"]]
            assert control(server, "/outages", {"for": "1h"}).ok
            for _ in range(PENDING // 10_000):
                assert control(server, "/emit", {"type": "open", "count": 10_000}).ok
            server.process.kill()
        add_many(tmp_path / "state", list_id, RECIPIENTS)
        with serving("--state", "state", "--virtual", "--quiet", folder=tmp_path) as server:
            assert requests.get(f"{server.url}/__mockcampaign/health", timeout=60).ok
            assert rest(server, "GET", f"/recipients/{list_id}/count")["count"] == RECIPIENTS
            assert processor_seconds(server) < START_SECONDS_MAX
            at_start = peak_megabytes(server)
            for sort in ("id", "email"):
                for direction, first in (("asc", 0), ("desc", RECIPIENTS - 1)):
                    for offset in (0, RECIPIENTS // 2, RECIPIENTS // 2 + 1_000, RECIPIENTS - 500):
                        query = f"limit=1000&offset={offset}&sort={sort}&direction={direction}"
                        page = rest(server, "GET", f"/recipients/{list_id}?{query}")
                        places = range(offset, min(offset + 1_000, RECIPIENTS))
                        assert [one["id"] for one in page["elements"]] == [
                            address_of(abs(first - place)) for place in places
                        ]
            address = address_of(RECIPIENTS // 3)
            assert rest(server, "GET", f"/recipients/{list_id}/{address}")["id"] == address
            assert rest(server, "GET", f"/recipients/{list_id}/{address}/valid")["valid"]
            for path in ("/", "/__mockcampaign/state", "/__mockcampaign/mails"):
                assert len(requests.get(f"{server.url}{path}", timeout=60).content) < 1_000_000
            assert peak_megabytes(server) - at_start < READING_MEGABYTES_MAX
            assert requests.delete(f"{server.url}/__mockcampaign/outages", timeout=60).ok
            assert control(server, "/clock/advance", {"by": "20s"}).ok
            assert peak_megabytes(server) < MEGABYTES_MAX
            server.process.kill()
    assert len(consumer.events) == consumer.events.total() == PENDING
