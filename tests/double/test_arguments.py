"""Wrong values of arguments are one sentence each, at every public call."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mockcampaign
from mockcampaign.double.arguments import ARGUMENTS, check_names, check_values
from mockcampaign.double.control.deliveries import ApiRequests
from mockcampaign.double.in_process import CampaignFixture
from mockcampaign.double.inputs import count_of
from mockcampaign.double.standalone import StandaloneCampaign
from mockcampaign.errors import MisuseError, MockcampaignError
from mockcampaign.policy import INT64_MAX
from mockcampaign.pytest_plugin.check_options import CheckOptions
from plugin_apps import App

WRONG: list[Any] = [None, 3, -1, 2.5, True, "x", "", b"x", [1], {"a": 1}, object(), float("nan")]

CALLS: dict[str, Callable[[CampaignFixture, Any], object]] = {
    "webhook: type": lambda campaign, value: campaign.webhook(value, target=App()),
    "webhook: target": lambda campaign, value: campaign.webhook("click", target=value),
    "webhook: path": lambda campaign, value: campaign.webhook("click", target=App(), path=value),
    "webhook: auth": lambda campaign, value: campaign.webhook("click", target=App(), auth=value),
    "webhook: activate": lambda campaign, value: campaign.webhook("click", target=App(), activate=value),
    "webhook: lifespan": lambda campaign, value: campaign.webhook("click", target=App(), lifespan=value),
    "webhook: settled": lambda campaign, value: campaign.webhook("click", target=App(), settled=value),
    "activate": lambda campaign, value: campaign.activate(value),
    "deactivate": lambda campaign, value: campaign.deactivate(value),
    "suspend": lambda campaign, value: campaign.suspend(value),
    "delete": lambda campaign, value: campaign.delete(value),
    "emit: to": lambda campaign, value: campaign.emit(value),
    "emit: count": lambda campaign, value: campaign.emit("open", value),
    "emit: over": lambda campaign, value: campaign.emit("open", over=value),
    "emit: like": lambda campaign, value: campaign.emit("open", like=value),
    "emit: events": lambda campaign, value: campaign.emit("open", events=value),
    "mailing: recipients": lambda campaign, value: campaign.mailing(value),
    "mailing: rates": lambda campaign, value: campaign.mailing(3, rates=value),
    "send: recipient": lambda campaign, value: campaign.send(value),
    "send: mail": lambda campaign, value: campaign.send("a@b.example", mail=value),
    "send: data": lambda campaign, value: campaign.send("a@b.example", data=value),
    "send: client_id": lambda campaign, value: campaign.send("a@b.example", client_id=value),
    "confirm_optin": lambda campaign, value: campaign.confirm_optin(value),
    "confirm_optin: client_id": lambda campaign, value: campaign.confirm_optin("a@b.example", client_id=value),
    "outage: duration": lambda campaign, value: campaign.outage(value),
    "outage: kind": lambda campaign, value: campaign.outage("1s", value),
    "outage: webhooks": lambda campaign, value: campaign.outage("1s", "refused", value),
    "fault: kind": lambda campaign, value: campaign.fault(value),
    "fault: webhooks": lambda campaign, value: campaign.fault("duplicate", value),
    "fault: times": lambda campaign, value: campaign.fault("duplicate", times=value),
    "fault: every": lambda campaign, value: campaign.fault("duplicate", every=value),
    "fault: probability": lambda campaign, value: campaign.fault("duplicate", probability=value),
    "fault: duration": lambda campaign, value: campaign.fault("duplicate", duration=value),
    "advance": lambda campaign, value: campaign.advance(value),
    "run": lambda campaign, value: campaign.run(despite_rejections=value),
    "assert_compliant: strict": lambda campaign, value: campaign.assert_compliant(strict=value),
    "assert_compliant: allow": lambda campaign, value: campaign.assert_compliant(allow=value),
    "assert_compliant: processed": lambda campaign, value: campaign.assert_compliant(processed=value),
    "assert_compliant: fields": lambda campaign, value: campaign.assert_compliant(processed=[], fields=value),
    "assert_compliant: identified_by": lambda campaign, value: campaign.assert_compliant(
        processed=[], identified_by=value
    ),
    "delivered": lambda campaign, value: campaign.delivered(value),
    "deliveries": lambda campaign, value: campaign.deliveries(value),
    "payload": lambda campaign, value: campaign.payload(value),
    "probe_sql: engine": lambda campaign, value: campaign.probe_sql(value, "SELECT 1"),
    "probe_sql: query": lambda campaign, value: campaign.probe_sql("sqlite://", value),
    "lead": lambda campaign, value: campaign.clock.lead(value),
    "click: link": lambda campaign, value: campaign.send("silent+a@b.example").click(value),
    "bounce: category": lambda campaign, value: campaign.send("silent+a@b.example").bounce(value),
    "open: after": lambda campaign, value: campaign.send("silent+a@b.example").open(after=value),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_value_is_one_sentence(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some texts are paths
    with contextlib.ExitStack() as stack:
        campaign = stack.enter_context(mockcampaign.campaign(App(), allow=["nothing-delivered"]))
        for value in WRONG:
            # Any other error fails this test.
            with contextlib.suppress(MockcampaignError, AssertionError):
                CALLS[call](campaign, value)
        stack.pop_all()
        campaign.release()


@pytest.mark.parametrize("name", ["target", "path", "type", "auth", "allow", "seed", "start", "policy", "run_timeout"])
def test_so_is_one_of_a_campaign(name: str) -> None:
    for value in WRONG:
        arguments = {"target": App(), name: value}
        with contextlib.suppress(MockcampaignError), mockcampaign.campaign(**arguments):
            pass


@pytest.mark.parametrize(
    ("call", "given", "message"),
    [
        (
            "activate",
            {"webhook": "x"},
            "activate: webhook is 'x', allowed: a webhook, as *",
        ),
        ("mailing", {"recipients": "3"}, "mailing: recipients is '3', allowed: a whole number from 1"),
        ("mailing", {"recipients": True}, "mailing: recipients is True, allowed: a whole number from 1"),
        ("send", {"data": {"pin": 4711}}, "send: data is a dict, allowed: texts by the names of fields, such as *"),
        (
            "campaign_check",
            {"probe_sql": (3, "SELECT 1")},
            "campaign_check: probe_sql is a tuple, allowed: a pair of a synchronous engine, or its URL, and a query",
        ),
        *(
            (call, {"seed": seed}, f"{call}: seed is {seed}, allowed: a whole number from 0 to {INT64_MAX}")
            for call in ("campaign", "campaign_check", "campaign_server_factory", "marker")
            for seed in (-1, INT64_MAX + 1)
        ),
        *(
            (call, {"client_id": number}, f"{call}: client_id is {number}, allowed: a whole number from 1 to {most}")
            for call, most in (("send", INT64_MAX), ("confirm_optin", INT64_MAX), ("campaign_check", 2**53))
            for number in (0, most + 1)
        ),
        (
            "campaign_check",
            {"probe_fields": "mailId"},
            "campaign_check: probe_fields is 'mailId', allowed: a list of names of fields",
        ),
        (
            "probe_sql",
            {"engine": 3},
            "probe_sql: engine is an int, allowed: a synchronous engine of SQLAlchemy, or the *",
        ),
        ("rotate_password", {"password": b"x"}, "rotate_password: password is a bytes, allowed: a text"),
        ("marker", {"allow": "responds-200"}, "marker: allow is 'responds-200', allowed: a list of texts, such as *"),
        ("campaign_check", {"rules": "order"}, "campaign_check: rules is 'order', allowed: a list of texts, such as *"),
    ],
)
def test_the_sentence_says_what_is_allowed(call: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(MisuseError) as raised:
        check_values(call, given)
    head, _, tail = message.partition("*")
    assert str(raised.value).startswith(head)
    assert tail or message.endswith("*") or str(raised.value) == message


def test_an_asynchronous_engine_is_one_sentence() -> None:
    pytest.importorskip("psycopg")
    create = pytest.importorskip("sqlalchemy.ext.asyncio").create_async_engine
    engine = create("postgresql+psycopg://127.0.0.1:9/x")
    allowed = "allowed: a synchronous engine of SQLAlchemy, or the URL of a database"
    for one, kind in ((engine, "an AsyncEngine"), (engine.sync_engine, "an Engine")):
        with pytest.raises(MisuseError) as raised:
            check_values("probe_sql", {"engine": one})
        assert str(raised.value) == f"probe_sql: engine is {kind}, {allowed}"


def test_a_serial_that_does_not_exist_is_one_sentence() -> None:
    with mockcampaign.campaign(App(), allow=["nothing-delivered"]) as campaign:
        with pytest.raises(MisuseError, match=r"^payload: no event has the serial 9, allowed: none, since no"):
            campaign.payload(9)
        campaign.webhook("click", target=App())
        campaign.emit("click", 8)
        campaign.run()
        assert b'"click"' in bytes(campaign.payload(8))
        with pytest.raises(MisuseError, match=r"^payload: no event has the serial 9, allowed: 1 to 8$"):
            campaign.payload(9)


def test_calls_are_asked_for_by_operations_that_exist() -> None:
    requests = ApiRequests(operations=["createWebhook", "activateWebhook"])
    assert requests("createWebhook") == []
    assert requests("GET /imports/…") == []
    with pytest.raises(MisuseError, match=r"^requests: unknown operation 'createWebhok', did you mean 'createW"):
        requests("createWebhook")("createWebhok")


def test_more_events_than_memory_holds_are_one_sentence() -> None:
    with pytest.raises(MisuseError, match=r"^count 10\d+, allowed: a whole number from 1, such as 250, to 10,000,000$"):
        count_of(10**12)


def test_an_argument_that_does_not_exist_is_named() -> None:
    with pytest.raises(MisuseError, match=r"^campaign_check: unknown argument 'prob', did you mean 'probe'\? "):
        check_names("campaign_check", ["prob"], CheckOptions.__annotations__)


def test_the_table_names_arguments_that_exist() -> None:
    calls: dict[str, Callable[..., object]] = {
        **dict(inspect.getmembers(CampaignFixture, callable)),
        "campaign": StandaloneCampaign,
    }
    for call, table in ARGUMENTS.items():
        if call in calls:
            assert set(table) <= set(inspect.signature(calls[call]).parameters), call
    assert set(ARGUMENTS["campaign_check"]) <= set(CheckOptions.__annotations__)
