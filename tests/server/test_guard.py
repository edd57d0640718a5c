"""The guard's decisions alone. `test_control` shows that it guards every call."""

from __future__ import annotations

import pytest

from mockcampaign.server.http.guard import _HOSTS_REMEMBERED, PAGE_POLICY, Guard

OURS = "127.0.0.1:8000"


def problem(
    *,
    host: str | None = OURS,
    origin: str | None = None,
    site: str | None = None,
    method: str = "POST",
    page: bool = False,
) -> str | None:
    named = {b"host": host, b"origin": origin, b"sec-fetch-site": site}
    headers = {name: text.encode() for name, text in named.items() if text is not None}
    return Guard(("Campaign.test", "api.campaign.episerver.net")).problem(method, headers, page=page)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "192.168.0.7:80",
        "[::1]:8000",
        "[fe80::1]",
        "localhost",
        "LocalHost:1",
        "app.localhost:8000",
        "campaign.test",
        "CAMPAIGN.TEST:443",
        "api.campaign.episerver.net",
    ],
)
@pytest.mark.parametrize("page", [True, False])
def test_addresses_and_own_names_are_accepted(host: str, page: bool) -> None:
    assert problem(host=host, page=page) is None


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        ":8000",
        "[",
        "[::1",
        "attacker.example",
        "attacker.example:8000",
        "attackerlocalhost",
        "localhost.attacker.example",
        "127.0.0.1.attacker.example",
        "attacker.campaign.test",
        "attacker.example@127.0.0.2x",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
    ],
)
@pytest.mark.parametrize("page", [True, False])
def test_other_names_are_rejected_for_pages_and_calls(host: str | None, page: bool) -> None:
    said = problem(host=host, page=page, method="GET")
    assert said is not None
    assert said.endswith("is not allowed, allowed: addresses, localhost and names given with --allow-host")


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        (None, None),
        (None, "none"),
        (None, "same-origin"),
        (f"http://{OURS}", None),
        (f"https://{OURS}", "same-origin"),
        (f"HTTP://{OURS}", None),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_programs_and_own_pages_may_call(origin: str | None, site: str | None, method: str) -> None:
    assert problem(origin=origin, site=site, method=method) is None


def test_names_in_origin_and_host_are_case_insensitive() -> None:
    assert problem(host="Campaign.Test", origin="http://campaign.tesT") is None


FOREIGN = (
    ("http://attacker.example", None),
    ("null", None),
    ("http://127.0.0.1", None),
    ("http://127.0.0.1:80001", None),
    (f"ftp://{OURS}", None),
    (f"http://{OURS}/", None),
    (None, "cross-site"),
    (None, "same-site"),
    (None, ""),
    (f"http://{OURS}", "cross-site"),
)


@pytest.mark.parametrize(("origin", "site"), FOREIGN)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
def test_a_call_from_another_site_is_rejected(origin: str | None, site: str | None, method: str) -> None:
    said = problem(origin=origin, site=site, method=method)
    assert said == "the call came from another site, allowed: pages of this server, and programs"


@pytest.mark.parametrize(("origin", "site"), FOREIGN)
def test_another_site_may_link_to_a_page_and_nothing_else(origin: str | None, site: str | None) -> None:
    assert problem(origin=origin, site=site, method="GET", page=True) is None
    assert problem(origin=origin, site=site, method="HEAD", page=True) is None
    assert problem(origin=origin, site=site, method="POST", page=True) is not None


def test_the_number_of_remembered_hosts_is_bounded() -> None:
    guard = Guard(())
    for number in range(3 * _HOSTS_REMEMBERED):
        assert guard.problem("GET", {b"host": b"127.0.0.1:%d" % number}, page=False) is None
        assert guard.problem("GET", {b"host": b"a%d.example" % number}, page=False) is not None
    assert len(guard._ours) <= _HOSTS_REMEMBERED


def test_a_page_runs_and_calls_only_its_own_server() -> None:
    policy = dict(directive.strip().split(" ", 1) for directive in PAGE_POLICY.split(";"))
    nothing = {name for name, sources in policy.items() if sources == "'none'"}
    assert nothing == {"default-src", "base-uri", "form-action", "frame-ancestors"}
    assert {sources for name, sources in policy.items() if name not in nothing} == {"'self'", "'self' data:"}
    assert policy["script-src"] == "'self'"
