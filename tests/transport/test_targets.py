"""Which hosts the server sends to: checked when a webhook is created or changed, and when it connects."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from endpoints import OK, OK_OUTCOME, Endpoint, Run, answering, request_to, wired
from mockcampaign.campaign import SAMPLE_MAILING_ID
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import NoResponse
from mockcampaign.transport import dial
from mockcampaign.transport.targets import AllowedTargets
from servers import Server, running_server

NOT_ALLOWED = NoResponse("connect", "the host's address is not an allowed target")

LOCAL = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.255.255"),
    *("::1", "::", "fc00::1", "fdff::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3"),
]
ELSEWHERE = [
    *("126.255.255.255", "128.0.0.1", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.0.1"),
    *("169.254.169.254", "100.100.100.200", "198.51.100.1", "255.255.255.255", "224.0.0.1"),
    *("fe80::1", "fd00:ec2::254", "2001:db8::1", "::ffff:169.254.169.254", "::ffff:198.51.100.1", "64:ff9b::7f00:1"),
]


def url_of(host: str) -> str:
    return f"http://[{host}]/hook" if ":" in host else f"http://{host}/hook"


def refusal(targets: AllowedTargets, url: str) -> str:
    with pytest.raises(InvalidInputError) as refused:
        targets.check(url)
    return str(refused.value)


@pytest.mark.parametrize("address", LOCAL)
def test_this_machine_and_private_networks_are_allowed_where_they_are_local(address: str) -> None:
    targets = AllowedTargets(local=True)
    targets.check(url_of(address))
    assert targets.admits("consumer.example", address)
    assert refusal(AllowedTargets(local=False), url_of(address)).endswith(
        "is not an allowed target, allowed: hosts and networks given with --allow-target"
    )


@pytest.mark.parametrize("address", ELSEWHERE)
def test_other_addresses_need_to_be_allowed(address: str) -> None:
    targets = AllowedTargets(local=True)
    assert refusal(targets, url_of(address)) == (
        f"host {address} is not an allowed target, allowed: loopback and private addresses, and hosts and networks "
        "given with --allow-target"
    )
    assert not targets.admits("consumer.example", address)
    bare = address.removeprefix("::ffff:")
    allowed = AllowedTargets([bare], local=False)
    allowed.check(url_of(address))
    assert allowed.admits("consumer.example", address)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "017700000001", "127.1", "0xa9fea9fe"])
def test_an_address_may_be_spelled_in_many_ways(host: str) -> None:
    try:
        socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pytest.skip("not a spelling that connecting takes on this system")
    assert host in refusal(AllowedTargets(["198.51.100.0/24"], local=False), f"http://{host}/")
    if host == "0xa9fea9fe":
        assert host in refusal(AllowedTargets(local=True), f"http://{host}/")
    else:
        AllowedTargets(local=True).check(f"http://{host}/")


@pytest.mark.parametrize(("address", "allowed"), [("10.1.255.255", True), ("10.0.255.255", False), ("10.2.0.0", False)])
def test_a_network_has_its_bounds(address: str, allowed: bool) -> None:
    assert AllowedTargets(["10.1.0.0/16"], local=False).admits("consumer.example", address) is allowed


def test_a_name_is_allowed_whatever_its_addresses_are() -> None:
    targets = AllowedTargets(["Consumer.Example", "büro.example"], local=False)
    for host in ("consumer.example", "CONSUMER.example", "büro.example", "xn--bro-hoa.example"):
        targets.check(f"https://{host}:8443/")
    assert targets.admits("consumer.example", "169.254.169.254")
    assert not targets.admits("other.consumer.example", "169.254.169.254")
    assert "host other.consumer.example is not" in refusal(targets, "http://other.consumer.example/")


def test_a_name_with_possibly_allowed_addresses_is_checked_at_delivery() -> None:
    AllowedTargets(local=True).check("http://consumer.example/")
    AllowedTargets(["10.0.0.0/8"], local=False).check("http://consumer.example/")


@pytest.mark.parametrize(
    "text", ["", "10.0.0.1/8", "host:80", "http://host/", "me@host", "a b", "[::1]", "a..b", "x/24"]
)
def test_an_invalid_target_is_rejected(text: str) -> None:
    with pytest.raises(InvalidInputError, match="is not a target, allowed: a host name, an address or a network"):
        AllowedTargets([text], local=True)


# At the moment of connecting


class Names:
    """A resolver that returns different addresses at each look-up."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def __call__(self, address: Any) -> list[Any]:
        addresses = self._answers.pop(0)
        return [(socket.AF_INET, socket.IPPROTO_TCP, (one, address.port)) for one in addresses]


@pytest.mark.parametrize("close", [b"Connection: close\r\n", b""])
def test_a_name_that_leads_elsewhere_later_is_not_followed(
    run: Run, monkeypatch: pytest.MonkeyPatch, close: bytes
) -> None:
    """DNS rebinding: the name was harmless when the webhook was created, and at the first delivery."""
    monkeypatch.setattr(dial, "_resolve", Names(["127.0.0.1"], ["169.254.169.254"]))
    answer = OK.replace(b"\r\nContent", b"\r\n" + close + b"Content")

    async def main() -> None:
        served = Endpoint(answering(*[answer] * 2)).serving()
        async with served as endpoint, wired(targets=AllowedTargets(local=True)) as transport:
            url = endpoint.url.replace("127.0.0.1", "consumer.example")
            assert await transport.send(request_to(url)) == OK_OUTCOME
            # On a kept connection no name is looked up; a new one needs to be allowed anew.
            assert await transport.send(request_to(url)) == (NOT_ALLOWED if close else OK_OUTCOME)

    run(main())


def test_of_several_addresses_only_those_allowed_are_tried(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "_resolve", Names(["169.254.169.254", "127.0.0.1"], ["169.254.169.254", "198.51.100.1"]))
    connect, tried = dial._connect_socket, []

    async def recorded(found: list[Any], deadline: float) -> socket.socket:
        tried.append([address for _, _, (address, _) in found])
        return await connect(found, deadline)

    monkeypatch.setattr(dial, "_connect_socket", recorded)

    async def main() -> None:
        served = Endpoint(answering(OK)).serving()
        async with served as endpoint, wired(targets=AllowedTargets(local=True)) as transport:
            url = endpoint.url.replace("127.0.0.1", "consumer.example")
            assert await transport.send(request_to(url)) == OK_OUTCOME
            assert await transport.send(request_to(url)) == NOT_ALLOWED

    run(main())
    assert tried == [["127.0.0.1"]]


# At the server's door


def test_the_server_rejects_targets_when_webhooks_are_created_and_changed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("ok")
    with running_server(targets=AllowedTargets(local=True)) as server:
        number = server.activated(httpserver.url_for("/hook"))
        for method, path in (("POST", "/webhooks"), ("PUT", f"/webhooks/{number}")):
            form = {"targetUrl": "http://169.254.169.254/latest/meta-data/", "type": "open", "format": "json"}
            answer = server.rest(method, path, form)
            assert answer.status_code == 400
            assert answer.json()["violations"] == [
                "targetUrl: host 169.254.169.254 is not an allowed target, allowed: loopback and private addresses, "
                "and hosts and networks given with --allow-target"
            ]
        assert [webhook["targetUrl"] for webhook in server.rest("GET", "/webhooks").json()] == [
            httpserver.url_for("/hook")
        ]


def test_the_server_rejects_targets_when_it_delivers_and_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    async def rebound(address: Any) -> list[Any]:
        return [(socket.AF_INET, socket.IPPROTO_TCP, ("169.254.169.254", 80))]

    monkeypatch.setattr(dial, "_resolve", rebound)

    def refused(server: Server) -> list[Any]:
        entries = server.control("GET", "/journal").json()["entries"]
        return [entry["outcome"] for entry in entries if entry["entry"] in ("attempted", "verified")]

    with running_server(targets=AllowedTargets(local=True)) as server:
        number = server.activated("http://consumer.example/hook")
        assert server.control("POST", "/emit", {"type": "open"}).status_code < 300
        server.advance("1s")
        verified = server.rest("GET", f"/webhooks/{number}/verify?mailingId={SAMPLE_MAILING_ID}").json()
        assert (verified["httpStatusCode"], verified["responseBody"]) == (0, NOT_ALLOWED.reason)
        assert refused(server) == [
            {"type": "no-response", "phase": "connect", "reason": NOT_ALLOWED.reason},
            {"type": "no-response", "phase": "connect", "reason": NOT_ALLOWED.reason},
        ]
