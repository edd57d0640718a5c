"""Requests for a name go to an address that the user chooses, while everything else follows the URL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from called_main import called_main
from endpoints import OK, OK_OUTCOME, Endpoint, Run, answering, request_to, server_context, wired
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import NoResponse
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread
from mockcampaign.transport.address import Routes, check_host_header, parse_address, parse_resolve

RULES = ("--rules", "responds-200,accepts-slow-body,handles-new-connections", "-q")


SCENARIO = """\
name: a
consumer: {{url: {url}}}
webhooks: {{opens: {{type: open}}}}
steps:
  - activate: opens
  - emit: {{type: open}}
  - run: until-idle
"""


class Noting:
    """A correct consumer that remembers the hosts that it was called by."""

    def __init__(self) -> None:
        self.app, self.hosts = consumer_app(), set[str]()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.hosts |= {value.decode() for name, value in scope.get("headers", ()) if name == b"host"}
        await self.app(scope, receive, send)


@pytest.fixture
def consumer() -> Noting:
    return Noting()


@pytest.fixture
def port(consumer: Noting) -> Iterator[str]:
    with serve_in_thread(consumer) as url:
        yield url.rpartition(":")[2]


def test_a_check_connects_where_it_is_told(consumer: Noting, port: str) -> None:
    url = f"http://consumer.example:{port}/hook"
    status, _, said = called_main("check", url, "--resolve", f"consumer.example:{port}:127.0.0.1", *RULES)
    assert (status, said) == (0, "")
    assert consumer.hosts == {f"consumer.example:{port}"}


def test_a_check_sends_the_host_header_it_is_told(consumer: Noting, port: str) -> None:
    url = f"http://127.0.0.1:{port}/hook"
    status, _, said = called_main("check", url, "--host-header", "hooks.example", *RULES, "--wait-for-consumer", "30s")
    assert (status, said) == (0, "")
    assert consumer.hosts == {"hooks.example"}


def test_a_run_does_both(consumer: Noting, port: str, tmp_path: Path) -> None:
    path = tmp_path / "a.scenario.yaml"
    path.write_text(SCENARIO.format(url=f"http://consumer.example:{port}/hook"))
    routes = ("--resolve", f"consumer.example:{port}:127.0.0.1", "--host-header", "hooks.example:8443")
    assert called_main("run", str(path), *routes)[0] == 0
    assert consumer.hosts == {"hooks.example:8443"}


def test_a_replay_does_both(consumer: Noting, port: str, tmp_path: Path) -> None:
    url, journal = f"http://consumer.example:{port}/hook", str(tmp_path / "j.jsonl")
    resolve = ("--resolve", f"consumer.example:{port}:127.0.0.1")
    assert called_main("check", url, *resolve, "--rules", "responds-200", "--journal", journal)[0] == 0
    consumer.hosts.clear()
    status, _, said = called_main("replay", journal, *resolve, "--host-header", "hooks.example")
    assert (status, said) == (0, "")
    assert consumer.hosts == {"hooks.example"}


@pytest.mark.slow
def test_the_consumer_is_looked_for_where_it_is_after_its_restart(port: str) -> None:
    url = f"http://consumer.example:{port}"
    _, out, _ = called_main(
        *("check", f"{url}/hook", "--probe", f"{url}/processed", "--resolve", f"consumer.example:{port}:127.0.0.1"),
        *("--rules", "durable-over-crash", "--restart-cmd", "true", "-v"),
    )
    assert "kept responding while it was restarted" in " ".join(out.split())


def test_a_scenario_of_a_check_says_which_options_it_needs(tmp_path: Path) -> None:
    with serve_in_thread(consumer_app("stores-first-event-only")) as base:
        port = base.rpartition(":")[2]
        url, resolve = f"http://consumer.example:{port}", f"consumer.example:{port}:127.0.0.1"
        called_main(
            *("check", f"{url}/hook", "--probe", f"{url}/processed", "--resolve", resolve),
            *("--host-header", "hooks.example", "--rules", "stores-every-event", "--scenarios", str(tmp_path)),
        )
        [path] = tmp_path.iterdir()
        first, second, *_ = path.read_text().splitlines()
        assert first == f"# Run this file with --resolve {resolve} --host-header hooks.example"
        assert second.startswith("name: ")
        options = first.removeprefix("# Run this file with ").split()
        assert called_main("run", str(path), *options)[0] == 1
        assert called_main("run", str(path))[0] == 3


@pytest.mark.parametrize("command", ["check", "run", "replay"])
def test_a_route_that_nothing_uses_is_an_error(command: str, port: str, tmp_path: Path) -> None:
    url, journal, scenario = f"http://127.0.0.1:{port}/hook", tmp_path / "j.jsonl", tmp_path / "a.scenario.yaml"
    scenario.write_text(SCENARIO.format(url=url))
    assert called_main("check", url, "--rules", "responds-200", "--journal", str(journal))[0] == 0
    given = {"check": url, "run": str(scenario), "replay": str(journal)}[command]
    for resolve in (f"127.0.0.2:{port}:127.0.0.1", "127.0.0.1:1:127.0.0.1"):
        name = resolve.removesuffix(":127.0.0.1")
        status, _, said = called_main(command, given, "--resolve", resolve)
        expected = f"mockcampaign: --resolve {name}: no URL has this name and port, allowed: 127.0.0.1:{port}\n"
        assert (status, said) == (2, expected)


def test_a_certificate_has_to_be_valid_for_the_urls_name(ca_file: Path, run: Run) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the server's complaint about the second one
        served = Endpoint(answering(OK)).serving(context=server_context("consumer.example"))
        async with served as endpoint:
            port = parse_address(endpoint.url).port
            for name, outcome in (
                ("consumer.example", OK_OUTCOME),
                ("other.example", NoResponse("certificate", "the certificate is for another host")),
            ):
                routes = Routes({(name, port): "127.0.0.1"}, {(name, port): "hooks.example"})
                async with wired(ca_file=ca_file, routes=routes) as transport:
                    assert await transport.send(request_to(f"https://{name}:{port}/")) == outcome

    run(main())


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("api.example.com:443:127.0.0.1", (("api.example.com", 443), "127.0.0.1")),
        ("API.example.com:80:[::1]", (("api.example.com", 80), "::1")),
        ("a:1:::1", (("a", 1), "::1")),
        ("bücher.example:443:10.0.0.1", (("xn--bcher-kva.example", 443), "10.0.0.1")),
    ],
)
def test_a_route_is_read_as_curl_reads_it(text: str, parsed: object) -> None:
    assert parse_resolve(text) == parsed


@pytest.mark.parametrize(
    "text", ["", "a", "a:80", "a:80:", "a:x:127.0.0.1", ":80:127.0.0.1", "a:80:localhost", "a:0:::1"]
)
def test_other_routes_are_rejected(text: str) -> None:
    with pytest.raises(InvalidInputError, match="allowed: NAME:PORT:ADDRESS with an IP address, such as"):
        parse_resolve(text)


@pytest.mark.parametrize("text", ["", "a b", "a\r\nX: y", "a:b", "http://a", "a/b", "ä"])
def test_other_host_headers_are_rejected(text: str) -> None:
    with pytest.raises(InvalidInputError, match="allowed: a host such as"):
        check_host_header(text)
