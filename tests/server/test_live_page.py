"""The live page in a real browser: what it shows, what it does, and what it never lets a consumer do."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from browsers import browser, clean_page, violations
from endpoints import unused_port
from mockcampaign.policy import Policy
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread
from servers import CLIENT, FIRST_ID, OTHER_CLIENT, Server, running_server

WIDE = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as running:
        yield running


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def page(chromium: Any, server: Server) -> Iterator[Any]:
    with clean_page(chromium, server.url, viewport=WIDE) as page:
        page.goto(server.url)
        page.get_by_text("Live", exact=True).wait_for()
        yield page


def rows(page: Any) -> Any:
    return page.locator(".entry:not(.call, .call-failure)")


def calls(page: Any) -> Any:
    return page.locator(".entry:is(.call, .call-failure)")


def webhook(page: Any, number: int) -> Any:
    """The rows of a webhook in the table."""
    return page.get_by_role("rowgroup").filter(has=page.get_by_role("button", name=f"Retry webhook {number} now"))


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def emit(page: Any, count: int, event_type: str = "open") -> None:
    form = page.get_by_role("form", name="Emit events")
    form.get_by_label("Type").select_option(event_type)
    form.get_by_label("Count").fill(str(count))
    form.get_by_role("button", name="Emit").click()


def advance(page: Any, by: str) -> None:
    page.get_by_label("Advance by").fill(by)
    press(page, "Advance")
    page.get_by_role("status").filter(has_text="It is ").wait_for()


def told(page: Any, text: str) -> None:
    page.get_by_role("status").filter(has_text=text).wait_for()


def settled(page: Any, **wanted: str) -> None:
    """Waits until the totals are so."""
    for name, text in wanted.items():
        page.locator(f"#total-{name}").get_by_text(text, exact=True).wait_for()


@pytest.mark.slow
def test_start_an_outage_see_retries_end_it_and_see_the_backlog_drain(
    server: Server, page: Any, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/hook").respond_with_data("thanks")
    page.get_by_text("No webhooks yet").wait_for()
    number = server.activated(httpserver.url_for("/hook"))
    webhook(page, number).get_by_text("activated", exact=True).wait_for()

    emit(page, 150)
    told(page, f"150 open events for webhook {number}.")
    rows(page).nth(1).wait_for()
    assert [rows(page).nth(index).locator(".size").inner_text() for index in (0, 1)] == ["50", "100"]
    settled(page, attempts="2", delivered="150", pending="0")

    press(page, f"Start outage of webhook {number}")
    told(page, f"Webhook {number} has an outage for 2h: refused.")
    emit(page, 3)
    rows(page).filter(has_text="connection refused").wait_for()
    webhook(page, number).get_by_text("attempt 2 in 10s").wait_for()
    advance(page, "10m")
    rows(page).filter(has_text="1 to 61").wait_for()
    settled(page, attempts="63", delivered="150", pending="3")

    press(page, f"End outage of webhook {number}")
    told(page, f"The outage of webhook {number} has ended.")
    # Without the line about its outage the row is lower, and the buttons are elsewhere.
    page.get_by_role("button", name=f"Start outage of webhook {number}", exact=True).wait_for()
    press(page, f"Retry webhook {number} now")
    settled(page, attempts="64", delivered="153", pending="0")
    webhook(page, number).get_by_text("nothing to send").wait_for()
    assert [len(request.get_json()) for request, _ in httpserver.log] == [100, 50, 3]
    assert page.locator("#plot-summary").inner_text() == "3 successes, 61 failures (61 simulated), 0 discards"


@pytest.mark.slow
def test_nothing_is_said_to_be_empty_before_it_is_loaded(chromium: Any, server: Server) -> None:
    with clean_page(chromium, server.url, viewport=WIDE) as page:
        page.route("**/stream*", lambda route: None)  # a state that never arrives
        page.goto(server.url)
        assert page.get_by_text("Loading…").count() == 5
        assert set(page.get_by_label("Totals").locator("dd").all_inner_texts()) == {"\N{EN DASH}"}
        assert not page.get_by_text("No webhooks yet").is_visible()


@pytest.mark.slow
def test_a_webhook_that_is_merely_created_shows_no_outage(server: Server, page: Any) -> None:
    number = server.create()
    page.get_by_text("Loading…").first.wait_for(state="detached")
    server.control("POST", "/outages", {"for": "2h"})
    page.get_by_role("button", name=f"End outage of webhook {number}").wait_for()
    assert "until" not in webhook(page, number).inner_text()
    server.rest("POST", f"/webhooks/{number}/activate")
    webhook(page, number).get_by_text("refused until").wait_for()


@pytest.mark.slow
def test_an_outage_of_all_discards_after_three_days(server: Server, page: Any) -> None:
    server.activated("http://127.0.0.1:9/a")
    server.activated("http://127.0.0.1:9/b", "click")
    page.get_by_label("Outage", exact=True).and_(page.locator("select")).select_option("connect-timeout")
    page.get_by_label("for", exact=True).fill("4d")
    press(page, "Start for all")
    told(page, "All webhooks have an outage for 4d: connect-timeout.")
    emit(page, 7)
    emit(page, 5, "click")
    advance(page, "3d")
    settled(page, discarded="12", pending="0")
    page.get_by_label("List", exact=True).select_option("trouble")
    rows(page).filter(has_text="discarded: expired").nth(1).wait_for()
    page.get_by_label("List", exact=True).select_option("all")
    rows(page).filter(has_text="outage of all webhooks for 4d: connect-timeout").wait_for()
    press(page, "End all")
    rows(page).filter(has_text="outage of all webhooks ended").wait_for()
    page.get_by_label("of webhook", exact=True).select_option(f"{FIRST_ID + 1} click")
    assert {text.split()[0] for text in page.locator(".entry .hook").all_inner_texts()} == {str(FIRST_ID + 1)}


def test_calls_of_the_rest_api_stand_beside_deliveries(server: Server, page: Any) -> None:
    number = server.activated("http://127.0.0.1:9/hook")
    server.rest("POST", f"/webhooks/{number}/activate")
    server.rest("GET", "/imports/5/joe@example.com")
    emit(page, 3)
    settled(page, calls="4", attempts="1", **{"failed-calls": "2"})
    rows(page).first.wait_for()
    assert [call.locator(".attempt").inner_text() for call in calls(page).all()] == [
        "GET /imports/…",
        "activateWebhook",
        "activateWebhook",
        "createWebhook",
    ]
    assert [call.locator(".outcome").inner_text() for call in calls(page).all()] == ["501", "400", "200", "201"]
    calls(page).nth(1).click()
    detail = page.locator("#detail-body")
    page.get_by_role("heading", name="Call of the REST API").wait_for()
    detail.get_by_text(f"POST /webhooks/{number}/activate").wait_for()
    page.get_by_label("List", exact=True).select_option("calls")
    assert (rows(page).count(), calls(page).count()) == (0, 4)
    page.get_by_label("List", exact=True).select_option("trouble")
    assert (rows(page).count(), calls(page).count()) == (1, 2)
    page.get_by_label("List", exact=True).select_option("deliveries")
    assert (rows(page).count(), calls(page).count()) == (1, 0)
    assert "joe" not in page.content()


def test_a_fault_of_calls_is_declared_for_an_operation(server: Server, page: Any) -> None:
    form = page.get_by_role("form", name="Declare a fault")
    form.get_by_label("Kind", exact=True).select_option("api-error")
    assert not form.get_by_label("Webhook").is_visible()
    form.get_by_label("Operation").select_option("createWebhook")
    form.get_by_label("Times").fill("2")
    form.get_by_role("button", name="Declare").click()
    told(page, "Fault 1, api-error, is in force.")
    page.get_by_text("operation createWebhook, timing before-effect, 2 times").wait_for()
    server.rest("GET", "/webhooks")
    server.rest("POST", "/webhooks", {})
    page.get_by_text("has hit 1 call", exact=True).wait_for()
    assert [call.locator(".outcome").inner_text() for call in calls(page).all()] == ["simulated 500 (api-error)", "200"]
    form.get_by_label("Kind", exact=True).select_option("lost-ack")
    assert form.get_by_label("Webhook").is_visible()
    assert not form.get_by_label("Operation").is_visible()


def test_an_error_of_the_server_is_shown_and_nothing_changes(server: Server, page: Any) -> None:
    page.get_by_label("Advance by").fill("soon")
    press(page, "Advance")
    page.get_by_role("alert").filter(has_text="soon").wait_for()
    page.get_by_label("Settings").fill("[1]")
    press(page, "Declare")
    page.get_by_role("alert").filter(has_text="not a JSON object").wait_for()
    page.get_by_label("Settings").fill('{"dropped": "never"}')
    press(page, "Declare")
    page.get_by_role("alert").filter(has_text="dropped: 'never' does not fit, allowed: ").wait_for()
    emit(page, 4)
    told(page, "no activated webhook has this type")
    assert server.state()["faults"] == []


@pytest.mark.slow
def test_faults_are_declared_seen_at_work_and_ended(server: Server, page: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    number = server.activated(httpserver.url_for("/hook"))
    form = page.get_by_role("form", name="Declare a fault")
    form.get_by_label("Kind", exact=True).select_option("lost-ack")
    form.get_by_label("Webhook", exact=True).select_option(f"{number} open")
    form.get_by_label("Times").fill("2")
    form.get_by_label("For", exact=True).fill("1h")
    form.get_by_label("Settings").fill('{"dropped": "before-response"}')
    press(page, "Declare")
    told(page, "Fault 1, lost-ack, is in force.")
    fault = page.get_by_role("list", name="Faults in force").get_by_role("listitem")
    fault.filter(has_text="dropped before-response, 2 times, 1h left").wait_for()
    emit(page, 1)
    fault.filter(has_text="has hit 1 attempt").wait_for()
    rows(page).filter(has_text="(lost-ack)").click()
    page.locator(".facts").get_by_text("lost-ack", exact=True).wait_for()
    press(page, "End fault 1")
    told(page, "Fault 1 has ended.")
    fault.wait_for(state="detached")
    press(page, f"Retry webhook {number} now")
    settled(page, delivered="1")


@pytest.mark.slow
def test_mailing_speed_and_reset(server: Server, page: Any) -> None:
    server.activated("http://127.0.0.1:9/hook", "sent")
    form = page.get_by_role("form", name="Send a mailing")
    form.get_by_label("Recipients").fill("50")
    form.get_by_role("button", name="Send").click()
    told(page, "events fall due as time passes.")
    advance(page, "1m")
    page.locator("#elapsed").get_by_text("+00:01:00").wait_for()
    page.get_by_label("Speed").select_option("600")
    told(page, "600 virtual seconds per second.")
    page.locator("#elapsed").get_by_text(re.compile(r"\+0[01]:[1-5]\d")).wait_for()
    assert server.state()["speed"] == 600
    press(page, "Reset everything…")
    press(page, "Cancel")
    assert server.state()["webhooks"]
    press(page, "Reset everything…")
    press(page, "Reset")
    page.get_by_text("No webhooks yet").wait_for()
    page.get_by_text("Nothing here yet").wait_for()
    assert page.get_by_label("Speed").input_value() == "0"


@pytest.mark.slow
def test_another_client_is_chosen_by_its_id(server: Server, page: Any) -> None:
    number = server.activated("http://127.0.0.1:9/hook", client=OTHER_CLIENT)
    page.get_by_text(f"client {OTHER_CLIENT}", exact=True).wait_for()
    page.get_by_role("form", name="Emit events").get_by_label("Client").fill(str(OTHER_CLIENT))
    emit(page, 2)
    told(page, f"2 open events for webhook {number}.")


HOSTILE = (
    "<script>window.broken = 1</script><img src=x onerror='window.broken = 1'><svg onload='window.broken = 1'>"
    "</pre></div>\x1b[31m\x1b]0;title\x07 \u202etxet \u200bhidden"
)


def test_a_hostile_consumer_runs_nothing_and_hides_nothing(server: Server, page: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data(
        HOSTILE, 500, {"X-Evil": "<script>window.broken = 1</script>", "Content-Type": "text/html"}
    )
    server.activated(httpserver.url_for("/hook?<b>bold</b>&'\"".replace("<", "%3C")))
    captured = {"type": "open", "recipientId": "<script>window.broken = 1</script>", "browser": "<img src=x onerror=x>"}
    assert server.control("POST", "/emit", {"type": "open", "like": captured}).status_code == 200
    rows(page).first.click()
    response = page.get_by_role("region", name="Response body")
    response.wait_for()
    shown = response.inner_text()
    assert "<script>window.broken = 1</script><img src=x" in shown
    assert "\\u001b[31m" in shown
    assert "\\u202etxet \\u200bhidden" in shown
    assert not {"\x1b", "\x07", "\u202e", "\u200b"} & set(page.locator("body").inner_text())
    assert "onerror" in page.get_by_role("region", name="Request body").inner_text()
    assert "<script>" in page.locator(".facts.headers").last.inner_text()
    assert page.evaluate("window.broken") is None
    assert page.locator("main script, main img, main b, main svg[onload]").count() == 0


def test_a_delivery_in_full_and_the_command_that_sends_it_again(
    chromium: Any, server: Server, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/hook").respond_with_json({"stored": 2}, 503, {"X-Why": "because it's broken"})
    server.activated(
        httpserver.url_for("/hook"),
        authentication='{"type":"keyAuth","key":"X-Api-Key","passphrase":"s3cret-it\'s"}',
    )
    server.control("POST", "/emit", {"type": "open", "count": 2})
    server.advance("35s")
    permissions = ["clipboard-read", "clipboard-write"]
    with clean_page(chromium, server.url, viewport=WIDE, permissions=permissions) as page:
        page.goto(server.url)
        rows(page).filter(has_text="1 to 4").click()
        page.get_by_role("heading", name=f"Attempt 4 of webhook {FIRST_ID} open").wait_for()
        facts = page.locator(".facts").first.inner_text()
        assert "2025-01-01 00:00:30.000 UTC (+00:00:30 since the start)" in facts
        assert "bytes sent" in facts
        assert " ms" in facts
        page.get_by_label("Attempt", exact=True).fill("2")
        press(page, "Show")
        page.get_by_role("heading", name=f"Attempt 2 of webhook {FIRST_ID} open").wait_for()
        headers = page.locator(".facts.headers")
        assert "X-Api-Key\n***" in headers.first.inner_text()
        assert "x-why\nbecause it's broken" in headers.last.inner_text()
        request = page.get_by_role("region", name="Request body")
        sent = httpserver.log[0][0].get_data(as_text=True)
        assert json.loads(request.inner_text()) == json.loads(sent)
        page.get_by_role("button", name="As sent").first.click()
        assert request.inner_text() == sent
        press(page, "Copy as curl")
        told(page, "The command reads credentials from HOOK_USER and HOOK_PASSWORD, or from HOOK_KEY.")
        command = page.evaluate("navigator.clipboard.readText()")
        assert "s3cret" not in page.content() + command
    assert "X-Api-Key: $HOOK_KEY" in shlex.split(command)
    environment = {**os.environ, "HOOK_KEY": "s3cret-it's"}
    subprocess.run(["sh", "-c", f"{command} --max-time 20"], env=environment, check=True, capture_output=True)
    again, original = httpserver.log[-1][0], httpserver.log[0][0]
    assert again.get_data() == original.get_data()
    for name in ("Content-Type", "X-Api-Key"):
        assert again.headers[name] == original.headers[name]


def test_by_keyboard_alone(server: Server, page: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_handler(lambda request: Response(request.get_data()))
    server.activated(httpserver.url_for("/hook"))
    server.control("POST", "/emit", {"type": "open", "count": 250})
    rows(page).nth(2).wait_for()
    page.locator("body").press("Tab")
    page.get_by_role("link", name="Skip to the deliveries").press("Enter")
    page.wait_for_url("**/#deliveries")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.locator("#rows:focus").wait_for(state="attached")
    chosen = page.locator("[aria-selected=true]")
    for key, size in (("ArrowDown", "50"), ("ArrowDown", "100"), ("End", ""), ("Home", "50"), ("ArrowUp", "50")):
        page.keyboard.press(key)
        assert chosen.locator(".size").inner_text() == size
        assert page.locator("#rows").get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    page.get_by_role("heading", name=f"Attempt 1 of webhook {FIRST_ID} open").wait_for()
    page.keyboard.press("Enter")
    page.locator("#detail-title:focus").wait_for(state="attached")
    page.keyboard.press("Tab")
    page.locator("#copy-curl:focus").wait_for(state="attached")
    page.keyboard.press("Escape")
    page.locator("#rows:focus").wait_for(state="attached")


def plot_with_lanes(page: Any, *labels: str) -> Any:
    return page.locator(f'#plot[aria-description="{", ".join(labels)}"]')


def on_lines(elements: Any) -> list[int]:
    """How many stand on each line."""
    return list(Counter(round(each.bounding_box()["y"]) for each in elements.all()).values())


CUT_OPTIONS = """() => [...document.querySelectorAll("main select")].filter((each) => {
    const text = Object.assign(document.createElement("canvas").getContext("2d"), {font: getComputedStyle(each).font});
    const width = text.measureText(each.selectedOptions[0]?.label ?? "").width;
    return each.checkVisibility() && width > each.clientWidth - 36;
}).map((each) => each.id)"""
"""Choices whose text is longer than their box, which browsers cut off without a sign."""

CLIPPED = """() => [...document.querySelectorAll("header *, main *")].filter((each) => each.checkVisibility()
    && !each.closest(".uplot, pre") && each.matches(":not(input, select)") && each.textContent.trim()
    && (each.scrollWidth > each.clientWidth + 1 || each.matches(".clip") && each.scrollHeight > each.clientHeight + 1)
    && getComputedStyle(each).overflowX === "hidden" && getComputedStyle(each).clipPath === "none"
).map((each) => each.outerHTML.slice(0, 200))"""


@pytest.mark.slow
def test_names_are_whole_and_details_take_no_room_before_they_are_wanted(server: Server, page: Any) -> None:
    page.locator("#plot").wait_for(state="hidden")
    assert page.locator("#plot-summary").inner_text() == "Nothing was sent yet."
    for name in ("open", "filteredbyblocklist"):
        server.activated("http://127.0.0.1:9/hook?tenant=acme-international&environment=staging-europe", name)
    emit(page, 3)
    rows(page).first.wait_for()
    plot_with_lanes(page, f"{FIRST_ID} open", f"{FIRST_ID + 1} filteredbyblocklist").wait_for()
    assert not page.locator("#detail").is_visible()
    rows(page).first.click()
    page.get_by_role("heading", name=f"Attempt 1 of webhook {FIRST_ID} open").wait_for()
    for width in (1280, 1920, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(CLIPPED) == []
    plot_with_lanes(page, "open", "filteredbyblocklist").wait_for()
    server.activated("http://127.0.0.1:9/hook", "open")
    webhook(page, FIRST_ID + 2).wait_for()
    short = [f"…{number % 1000:03} open" for number in (FIRST_ID, FIRST_ID + 2)]
    plot_with_lanes(page, short[0], "filteredbyblocklist", short[1]).wait_for()
    tiles = page.get_by_label("Totals").locator("> div")
    numbers = webhook(page, FIRST_ID).locator(".number")
    for width, lines in ((390, 2), (700, 1)):  # no line of tiles has a gap at its end
        page.set_viewport_size({"width": width, "height": 900})
        assert on_lines(tiles) == [6 // lines] * lines
    assert on_lines(numbers) == [1, 3]  # what is pending stands beside the status
    page.set_viewport_size({"width": 390, "height": 900})
    assert page.evaluate(CUT_OPTIONS) == []
    buttons = webhook(page, FIRST_ID).get_by_role("button")
    assert len({round(button.bounding_box()["width"]) for button in buttons.all()}) == 1


@pytest.fixture(scope="module")
def crowded(chromium: Any) -> Iterator[Any]:
    """The page with long names, an outage, a fault and many attempts."""
    with running_server() as server:
        for name in ("open", "filteredbyblocklist"):
            server.activated("http://127.0.0.1:9/a/rather/long/path/that/goes/on/and/on/for/a/while", name)
        server.control("POST", "/outages", {"for": "3d", "kind": "connect-timeout"})
        server.control("POST", "/faults", {"kind": "content-type", "for": "3d", "every": 2})
        server.control("POST", "/emit", {"type": "open", "count": 250})
        server.advance("1d")
        with clean_page(chromium, server.url) as page:
            page.goto(server.url)
            yield page


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 768, 1024, 1280])
def test_nothing_is_cut_off_in_a_narrow_window(crowded: Any, width: int) -> None:
    page = crowded
    page.set_viewport_size({"width": width, "height": 700})
    rows(page).first.click()
    page.get_by_role("heading", name=f"of webhook {FIRST_ID}").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for button in page.get_by_role("button").all():
        box = button.bounding_box()
        if box is not None:
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width, button.inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_by_the_rules_of_axe(
    chromium: Any, server: Server, httpserver: HTTPServer, scheme: str
) -> None:
    httpserver.expect_request("/hook").respond_with_json({"a": 1})
    found: list[Any] = []

    def examine(page: Any) -> None:
        for width in (390, 1280, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            found.extend(violations(page))

    with clean_page(chromium, server.url, viewport=WIDE, color_scheme=scheme) as page:
        page.goto(server.url)
        page.get_by_text("No webhooks yet").wait_for()
        examine(page)
        number = server.activated(httpserver.url_for("/hook"))
        server.create("http://127.0.0.1:9/", "click")
        server.control("POST", "/emit", {"type": "open"})
        server.control("POST", "/faults", {"kind": "timeout", "times": 2})
        server.control("POST", "/outages", {"for": "1h", "webhookId": number})
        server.control("POST", "/emit", {"type": "open"})
        page.get_by_role("button", name="Advance").click()
        rows(page).filter(has_text="200").click()
        page.get_by_role("region", name="Response body").wait_for()
        page.get_by_text("The command").click()
        server.rest("GET", "/imports/5/joe@example.com")
        page.get_by_text("Calls of the REST API that this double does not have").wait_for()
        examine(page)
        page.get_by_role("button", name="New webhook…").click()
        examine(page)
    assert found == []


@pytest.mark.slow
def test_the_page_reconnects_and_shows_what_it_missed(chromium: Any) -> None:
    port = unused_port()
    url = f"http://127.0.0.1:{port}"
    with clean_page(chromium, url, viewport=WIDE, lost_is_fine=True) as page:
        with running_server(port=port) as first:
            page.goto(url)
            first.activated("http://127.0.0.1:9/hook", "bounce")
            page.get_by_text(f"{FIRST_ID} bounce").first.wait_for()
        page.get_by_text("Connection lost, reconnecting").wait_for()
        with running_server(port=port) as second:
            second.activated("http://127.0.0.1:9/hook", "click")
            second.control("POST", "/emit", {"type": "click", "count": 3})
            page.get_by_text("Live", exact=True).wait_for()
            webhook(page, FIRST_ID).get_by_text(f"{FIRST_ID} click").wait_for()
            rows(page).filter(has_text=f"{FIRST_ID} click").wait_for()


@pytest.mark.slow
def test_a_point_in_the_timeline_leads_to_its_delivery(server: Server, page: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("", 503)
    server.activated(httpserver.url_for("/hook"))
    server.control("POST", "/emit", {"type": "open"})
    server.advance("1h")
    rows(page).filter(has_text="1 to 361").wait_for()
    plot = page.locator("#plot .u-over")
    box = plot.bounding_box()
    plot.hover(position={"x": box["width"] / 2, "y": box["height"] / 2})
    reading = page.locator("#plot-reading").inner_text()
    assert reading == f"2025-01-01 00:00:00 (+00:00:00), {FIRST_ID} open, attempts 1 to 361: 503"
    page.mouse.down()
    page.mouse.up()
    page.get_by_role("heading", name=f"Attempt 361 of webhook {FIRST_ID} open").wait_for()
    # Dragging zooms in, and the choice leads out again.
    plot.hover(position={"x": 100, "y": 10})
    page.mouse.down()
    plot.hover(position={"x": 300, "y": 10})
    page.mouse.up()
    assert page.get_by_label("Show", exact=True).input_value() == "zoom"
    page.get_by_label("Show", exact=True).select_option("all")


@pytest.mark.slow
def test_nearly_ten_thousand_attempts(chromium: Any) -> None:
    """As many as the journal holds: each has an entry, and so has its event."""
    policy = Policy(batch_events_max=1)
    with serve_in_thread(consumer_app(None)) as target, running_server(policy=policy) as server:
        server.activated(f"{target}/hook")
        with clean_page(chromium, server.url, viewport=WIDE) as page:
            page.goto(server.url)
            page.get_by_text("Live", exact=True).wait_for()
            server.control("POST", "/emit", {"type": "open", "count": 9_990, "over": "1h"})
            server.advance("1h")
            settled(page, attempts="9,990", delivered="9,990")
            page.get_by_text("1 to 100 of 9,992").wait_for()
            assert page.locator("#plot-summary").inner_text() == "9,990 successes, 0 failures, 0 discards"
            assert page.locator("#rows").get_by_role("option").count() == 100
            press(page, "Older")
            page.get_by_text("101 to 200 of 9,992").wait_for()
            server.control("POST", "/emit", {"type": "open"})
            page.get_by_text("102 to 201 of 9,993").wait_for()  # what one reads stays where it is
            press(page, "Newest")
            page.get_by_text("1 to 100 of 9,993").wait_for()
            page.locator("#rows").press("End")
            page.locator("#rows").press("ArrowDown")
            page.get_by_text("101 to 200 of 9,993").wait_for()
            page.reload()
            page.get_by_text("1 to 100 of 9,993").wait_for()


@pytest.mark.slow
def test_the_page_says_what_the_server_dropped(chromium: Any, server: Server) -> None:
    number = server.create()
    held = server.campaign.hub.journal
    while not held.dropped:
        server.campaign.campaign.end_outage(server.campaign.webhook(number))
    with clean_page(chromium, server.url, viewport=WIDE) as page:
        page.goto(server.url)
        page.get_by_label("List", exact=True).select_option("all")
        page.get_by_text(f"and {held.dropped:,} older journal entries dropped").wait_for()


def test_events_belong_to_the_first_client_by_default(server: Server, page: Any) -> None:
    server.activated("http://127.0.0.1:9/hook")
    emit(page, 1)
    rows(page).first.wait_for()
    journal = server.control("GET", "/journal").json()["entries"]
    assert {entry["client_id"] for entry in journal if entry["entry"] == "happened"} == {CLIENT}


def test_ids_beyond_the_numbers_of_javascript_stay_as_they_are(page: Any) -> None:
    received = '{"id":9223372036854775807,"clients":[9007199254740993,7],"webhookId":null,"now":1735689600000,' + (
        '"text":"12345678901234567 \\"12345678901234567","at":0.12345678901234567,"webhook_ids":[]}'
    )
    read, written = page.evaluate(
        """async (received) => {
          const { read, written } = await import("/__mockcampaign/pages/live/server.js");
          const body = { clientId: "9007199254740993", webhookId: "1", text: '"clientId":"1"', count: 2 };
          return [read(received), written(body)];
        }""",
        received,
    )
    assert read == {
        "id": "9223372036854775807",
        "clients": ["9007199254740993", "7"],
        "webhookId": None,
        "now": 1735689600000,
        "text": '12345678901234567 "12345678901234567',
        "at": 0.12345678901234567,
        "webhook_ids": [],
    }
    assert written == ('{"clientId":9007199254740993,"webhookId":1,"text":"\\"clientId\\":\\"1\\"","count":2}')


def test_calls_that_the_double_does_not_support_are_shown(server: Server, page: Any) -> None:
    assert page.locator("#unsupported").is_hidden()
    for _ in range(2):
        server.rest("GET", "/recipients/7/joe%40example.com/optinstatus")
    page.get_by_text("GET /recipients/… (2)").wait_for()
    assert "joe" not in page.locator("body").inner_text()
