"""Which URLs webhooks may have: whatever the text, it is refused in one line, or a request to it has an outcome."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from endpoints import request_to
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import NoResponse, Responded, TimedOut
from mockcampaign.transport.address import parse_address
from mockcampaign.transport.targets import AllowedTargets
from mockcampaign.transport.wire import WireTransport

HOSTS = st.sampled_from(
    [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "[::1%é]",
        "[fe80::1%1]",
        "[v1.x]",
        "a" * 64,
        ".",
        "..",
        "%41",
        "a_b",
        "ß.example",
    ]
)
ODD = st.text(st.characters(codec=None), max_size=12)
URLS = st.builds(
    lambda scheme, host, port, rest: f"{scheme}://{host}{port}{rest}",
    st.sampled_from(["http", "https", "HTTP"]),
    st.one_of(HOSTS, ODD, st.builds("{}{}".format, HOSTS, ODD)),
    st.sampled_from(["", ":9", ":", ":0", ":65536", ":é"]),
    st.one_of(st.just("/"), ODD.map("/{}".format), ODD),
)


async def no_name(self: object, host: str, *_: object, **__: object) -> list[Any]:
    """Fail as a look-up does, after the encoding of the name."""
    host.encode("idna")
    raise socket.gaierror(socket.EAI_NONAME, "no such name")


@given(st.one_of(URLS, ODD))
@example("http://[::1%é]/")
@example("http://127.0.0.1:9/\ud800")
@example("http://127.0.0.1:9/?\udfff")
def test_any_text_is_refused_in_one_line_or_a_request_has_an_outcome(text: str) -> None:
    refusals: list[str] = []

    async def main() -> None:
        transport = WireTransport(targets=AllowedTargets(local=True))
        try:
            outcome = await transport.send(request_to(text, timeout=2_000))
        except InvalidInputError as error:
            refusals.append(str(error))
        else:
            assert isinstance(outcome, Responded | TimedOut | NoResponse)
        finally:
            await transport.aclose()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.BaseEventLoop, "getaddrinfo", no_name)
        asyncio.run(main())
    assert all("\n" not in line and ", allowed: " in line for line in refusals)


@pytest.mark.parametrize(
    "url",
    [
        *("http://[::1%é]/", "http://[::1%25lo]/", "http://[fe80::1%eth0]/", "http://[v1.x]/", "http://[127.0.0.1]/"),
        *("http://%41/", "http://a%20b/", "http://a<b/", "http://a*b/", f"http://{'a.' * 127}aa/"),
        *("http://host/\ud800", "http://host/?\ud800", "http://\ud800/"),
    ],
)
def test_a_url_that_cannot_be_sent_to_is_malformed(url: str) -> None:
    with pytest.raises(InvalidInputError, match=r"is malformed, allowed: http\(s\)://host\[:port\]/path"):
        parse_address(url)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://[::1]/", "::1"),
        ("http://[FE80::1]/", "fe80::1"),
        ("http://my_service/", "my_service"),
        ("http://Bücher.example./", "xn--bcher-kva.example."),
        (f"http://{'a.' * 126}a/", f"{'a.' * 126}a"),
    ],
)
def test_hosts_that_webhooks_may_have(url: str, host: str) -> None:
    assert parse_address(url).host == host
