"""All doors make the probes of URLs and commands by one function, so that they have one default."""

from __future__ import annotations

import ast
import re

import pytest

from mockcampaign.check.probes import probe_making
from mockcampaign.check.probes.probe_making import make_probe
from mockcampaign.check.probes.store_probe import CommandProbe, UrlProbe
from mockcampaign.transport.wire import WireTransport
from places import ROOT


@pytest.mark.slow
def test_nothing_but_the_maker_of_probes_makes_one_of_a_url_or_command() -> None:
    makers = {"UrlProbe", "CommandProbe", "Probe"}
    allowed = (probe_making.__file__, "store_probe.py", "end_state.py")
    others = [
        f"{path}:{call.lineno}"
        for path in (ROOT / "mockcampaign").rglob("*.py")
        if not str(path).endswith(allowed)
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in makers
    ]
    assert others == []


@pytest.mark.parametrize(("events", "count"), [(None, None), ("data.items", None), (None, "total")])
def test_the_whole_response_is_the_list_unless_something_is_named(events: str | None, count: str | None) -> None:
    for given in ({"url": "http://127.0.0.1:9/"}, {"command": "true"}):
        probe = make_probe(WireTransport(), **given, events=events, count=count, timeout=1)
        assert isinstance(probe, UrlProbe | CommandProbe)
        assert probe.reports_events is (count is None)
        if isinstance(probe, UrlProbe):
            assert (probe.probe.events, probe.probe.count) == (None if count else events or "@", count)


def test_the_reference_says_what_the_default_is() -> None:
    reference = (ROOT / "scenarios/README.md").read_text()
    [line] = re.findall(r"^\| `events` \| a JMESPath .*$", reference, re.MULTILINE)
    assert "(default: `@`, the whole response)" in line
    assert "names the lists in it" in line
