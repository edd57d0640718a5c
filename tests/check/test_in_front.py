"""Findings about what stands before the consumer, with advice for it."""

from __future__ import annotations

import asyncio

from checks import checked
from endpoints import Endpoint, answering
from mockcampaign.judging.fact import InFront, UnderscoreInHeader
from mockcampaign.model import KeyAuthentication, Measured, Request
from mockcampaign.report.advice import UNDERSCORES
from mockcampaign.samples.consumer import application, consumer_app
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Store
from mockcampaign.transport.wire import WireTransport


def test_a_page_of_a_proxy_is_attributed_to_it() -> None:
    result = checked(consumer_app("stands-behind-body-limit"), rules=("accepts-large-batch",))
    [found] = [one for one in result.rules if one.outcome == "fail"]
    assert InFront(status=413, software="nginx") in found.facts
    assert found.actual.endswith("; the 413 came from what stands before the consumer (nginx)")
    assert found.fix is not None
    assert "client_max_body_size" in found.fix
    assert "the log of nginx, which gave this response" in found.fix


def test_the_consumers_own_limit_is_its_own() -> None:
    result = checked(consumer_app("limits-body-to-50-kb"), rules=("accepts-large-batch",))
    [found] = [one for one in result.rules if one.outcome == "fail"]
    assert not [fact for fact in found.facts if isinstance(fact, InFront)]


class DemandsKey(Consumer):
    """Demands a key that what stands before it has dropped."""

    def is_authenticated(self, request: object) -> bool:
        return False


def test_a_key_in_a_header_with_underscores_is_named_as_the_likely_cause() -> None:
    app = application(DemandsKey(Store(), None))
    for name, expected in (("X_HOOK_KEY", True), ("X-Hook-Key", False)):
        key = KeyAuthentication(key=name, passphrase="geheim-4711")
        [found] = checked(app, rules=("responds-200",), authentication=key).rules
        assert (UnderscoreInHeader(name=name) in found.facts) == expected
        assert (found.fix == UNDERSCORES.text) == expected
        assert found.identity == "401 to with-credentials"


def test_the_wire_measures_which_server_responded() -> None:
    async def sent() -> list[str]:
        response = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Length: 0\r\n\r\n"
        transport = WireTransport()
        try:
            async with Endpoint(answering(response)).serving() as endpoint:
                request = Request(method="GET", url=endpoint.url, headers=(), timeout=5_000, response_body_bytes_kept=9)
                outcomes = [await transport.send(request) for _ in range(2)]  # the same bytes are parsed once
        finally:
            await transport.aclose()
        return [one.measured.server for one in outcomes if isinstance(one.measured, Measured)]

    assert asyncio.run(sent()) == ["nginx/1.22.1"] * 2
