"""The probe of a server: it asks for the events of this server, if it selects any."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockcampaign.errors import InvalidInputError
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.server.consumer_probe import ProbeOptions
from mockcampaign.serving import serve_in_thread
from servers import running_server


@pytest.fixture(scope="module")
def consumer() -> Iterator[str]:
    with serve_in_thread(consumer_app()) as url:
        yield url


def test_placeholders_select_the_events_of_this_server(consumer: str) -> None:
    probe = ProbeOptions(url=f"{consumer}/processed?mailing={{mailingId}}")
    with running_server(seed=8) as other:
        other.activated(f"{consumer}/hook")
        other.control("POST", "/emit", {"type": "open", "count": 7})
        other.advance("1m")
    with running_server(seed=9, probe=probe) as server:
        server.activated(f"{consumer}/hook")
        assert server.control("GET", "/stored").json()["stored"] == 0
        for _ in range(2):
            server.control("POST", "/emit", {"type": "open", "count": 2})
        server.advance("1m")
        found = server.control("GET", "/stored").json()
        assert [found[name] for name in ("stored", "acknowledged", "missing", "duplicate")] == [4, 4, 0, 0]


def test_an_unknown_placeholder_is_refused_before_anything_is_served() -> None:
    for options in (ProbeOptions(url="http://x/?m={mailing}"), ProbeOptions(command="cat {mailing}")):
        with pytest.raises(InvalidInputError, match=r"^--probe\S*: unknown placeholder '{mailing}', did you mean"):
            options.check()
