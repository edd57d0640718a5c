"""The live page as a manager in a real browser: webhooks, single mails, and what the consumer has stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from browsers import browser, clean_page
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.server.consumer_probe import ProbeOptions
from mockcampaign.serving import serve_in_thread
from servers import FIRST_ID, OTHER_CLIENT, Server, running_server

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 390, "height": 844}
SECRET = "s3cret-0f-the-hook"


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
        opened(page, server)
        yield page


def opened(page: Any, server: Server) -> None:
    page.goto(server.url)
    page.get_by_text("Live", exact=True).wait_for()


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def told(page: Any, text: str) -> None:
    page.get_by_role("status").filter(has_text=text).wait_for()


def refused(page: Any, text: str) -> None:
    page.get_by_role("alert").filter(has_text=text).wait_for()


def webhook(page: Any, number: int) -> Any:
    return page.get_by_role("rowgroup").filter(has=page.get_by_role("button", name=f"Verify webhook {number}"))


def command(page: Any, verb: str, number: int = FIRST_ID) -> Any:
    return page.get_by_role("button", name=f"{verb} webhook {number}", exact=True)


def sent_password(httpserver: HTTPServer, index: int) -> str | None:
    authorization = httpserver.log[index][0].authorization
    return None if authorization is None else authorization.password


def test_the_life_of_a_webhook(server: Server, page: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("", 200)
    httpserver.expect_request("/gone").respond_with_data("", 410)
    press(page, "New webhook…")
    form = page.get_by_role("dialog")
    form.get_by_label("Name (").fill("orders")
    form.get_by_label("URL", exact=True).fill(httpserver.url_for("/hook"))
    form.get_by_label("Type of events").select_option("click")
    form.get_by_label("Credentials for the URL").select_option("basicAuth")
    form.get_by_label("User name").fill("joe")
    form.get_by_label("Password").fill(SECRET)
    press(page, "Create")
    told(page, f"Webhook {FIRST_ID} is created.")
    row = webhook(page, FIRST_ID)
    row.get_by_text("created", exact=True).wait_for()
    row.get_by_text("orders").wait_for()
    row.get_by_text("HTTP Basic").wait_for()
    command(page, "Verify").click()
    told(page, f"Webhook {FIRST_ID} is verified: the URL responded 200.")
    assert sent_password(httpserver, 0) == SECRET
    command(page, "Activate").click()
    told(page, f"Webhook {FIRST_ID} is activated.")
    row.get_by_text("activated", exact=True).wait_for()
    command(page, "Update").click()
    assert form.get_by_label("URL", exact=True).input_value() == httpserver.url_for("/hook")
    assert form.get_by_label("Type of events").is_hidden()
    form.get_by_label("URL", exact=True).fill(httpserver.url_for("/gone"))
    press(page, "Update")
    told(page, f"Webhook {FIRST_ID} is updated.")
    command(page, "Verify").click()
    row.get_by_text("the URL responded 410, Campaign wants 200.").wait_for()
    assert sent_password(httpserver, 1) == SECRET  # the update has left it alone
    command(page, "Deactivate").click()
    row.get_by_text("deactivated", exact=True).wait_for()
    command(page, "Delete").click()
    told(page, f"Webhook {FIRST_ID} is deleted.")
    page.get_by_text("No webhooks yet").wait_for()
    assert SECRET not in page.content()


def test_what_campaign_refuses_is_disabled_and_says_why(server: Server, page: Any) -> None:
    number = server.activated("http://127.0.0.1:9/hook")
    delete = command(page, "Delete", number)
    delete.wait_for()
    assert delete.get_attribute("aria-disabled") == "true"
    reason = f"delete webhook {number}: it is activated, and must be deactivated"
    assert delete.get_attribute("title") == reason
    delete.focus()
    page.keyboard.press("Enter")
    refused(page, reason)
    assert server.state()["webhooks"]


def test_each_wrong_field_of_the_form_has_the_servers_message_beside_it(server: Server, page: Any) -> None:
    press(page, "New webhook…")
    form = page.get_by_role("dialog")
    form.get_by_label("URL", exact=True).fill("example.com")
    form.get_by_label("Credentials for the URL").select_option("keyAuth")
    form.get_by_label("Passphrase").fill(SECRET)
    press(page, "Create")
    refused(page, "'example.com' is not a web address, allowed: http(s)://host[:port]/path")
    refused(page, "the key or the passphrase is empty")
    url = form.get_by_label("URL", exact=True)
    assert (url.get_attribute("aria-invalid"), url.evaluate("it => it === document.activeElement")) == ("true", True)
    page.keyboard.press("Escape")
    form.wait_for(state="hidden")
    press(page, "New webhook…")
    assert form.get_by_role("alert").filter(has_text="allowed").count() == 0
    assert page.locator("#webhook-passphrase").input_value() == ""
    assert server.state()["webhooks"] == []


def test_a_webhook_by_keyboard_alone(server: Server, page: Any) -> None:
    page.get_by_role("button", name="New webhook…").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("mine")
    page.keyboard.press("Tab")
    page.keyboard.type("http://127.0.0.1:9/hook")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type(str(OTHER_CLIENT))
    page.keyboard.press("Enter")
    told(page, f"Webhook {FIRST_ID} is created.")
    command(page, "Activate").focus()
    page.keyboard.press("Space")
    told(page, f"Webhook {FIRST_ID} is activated.")
    assert command(page, "Activate").evaluate("it => it === document.activeElement")
    [made] = server.state()["webhooks"]
    assert (made["clientId"], made["type"], made["integrationId"]) == (OTHER_CLIENT, "open", "mine")


def test_a_recipient_opens_clicks_and_complains(server: Server, page: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    for event_type in ("open", "click", "spamcomplaint"):
        server.activated(httpserver.url_for("/hook"), event_type)
    form = page.get_by_role("form", name="Send a mail")
    form.get_by_label("Recipient, address or id").fill("joe@example.com")
    press(page, "Send mail")
    told(page, "is accepted; its events follow on the clock.")
    row = page.get_by_role("list", name="Mails").get_by_role("listitem")
    row.get_by_text("enqueued").wait_for()
    server.advance("20m")
    row.get_by_text("sent", exact=True).first.wait_for()

    def types() -> list[str]:
        return [event["type"] for event in server.control("GET", "/mails").json()["mails"][0]["events"]]

    before = types()
    row.get_by_role("button", name="Open: ").click()
    told(page, "open of mail ")
    row.get_by_role("button", name="Click: ").click()
    dialog = page.get_by_role("dialog", name="Click a link")
    dialog.get_by_label("After").fill("soon")
    press(page, "Click")
    refused(page, "soon")
    dialog.get_by_label("After").fill("1s")
    dialog.get_by_label("Link").fill("https://shop.example.com/offer?a=1")
    press(page, "Click")
    told(page, "click of mail ")
    row.get_by_role("button", name="Complain: ").click()
    told(page, "spamcomplaint of mail ")
    server.advance("2s")
    assert sorted(types()) == sorted([*before, "open", "click", "spamcomplaint"])
    row.get_by_text("spamcomplaint").wait_for()
    sent = [event for request, _ in httpserver.log for event in request.get_json()]
    assert any(event.get("link") == "https://shop.example.com/offer?a=1" for event in sent)


def test_a_bounce_has_a_category_and_a_mail_that_is_not_sent_has_no_events(server: Server, page: Any) -> None:
    server.rest("POST", "/blacklistentries", {"entry": "blocked@example.com"})
    for recipient in ("ann@example.com", "blocked@example.com"):
        page.get_by_label("Recipient, address or id").fill(recipient)
        press(page, "Send mail")
        page.get_by_role("listitem").filter(has_text=recipient).wait_for()
    blocked = page.get_by_role("listitem").filter(has_text="blocked@example.com")
    button = blocked.get_by_role("button", name="Open: ")
    assert button.get_attribute("aria-disabled") == "true"
    button.press("Enter")
    refused(page, "is not sent to its recipient, so nothing can become of it")
    page.get_by_role("listitem").filter(has_text="ann@").get_by_role("button", name="Bounce: ").click()
    page.get_by_role("dialog").get_by_label("Category").select_option(index=1)
    press(page, "Bounce")
    told(page, "bounce of mail ")


def test_simulated_failures_look_and_read_otherwise_than_real_ones(
    server: Server, page: Any, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/hook").respond_with_data("", 500)
    number = server.activated(httpserver.url_for("/hook"))
    server.control("POST", "/faults", {"kind": "api-error", "times": 1})
    server.rest("GET", "/webhooks")
    server.rest("GET", "/webhooks/1/verify")
    server.control("POST", "/emit", {"type": "open"})
    page.locator(".entry.failure").wait_for()
    server.control("POST", "/outages", {"for": "1h"})
    server.control("POST", f"/webhooks/{number}/retry")
    simulated, real = (
        page.locator(".entry.simulated"),
        page.locator(".entry:is(.failure, .call-failure):not(.simulated)"),
    )
    simulated.nth(1).wait_for()
    real.nth(1).wait_for()
    texts = [one.locator(".outcome").inner_text() for one in simulated.all()]
    assert texts == ["simulated connection refused", "simulated 500 (api-error)"]
    assert [one.locator(".outcome").inner_text() for one in real.all()] == ["500", "400"]

    def look(row: Any) -> tuple[str, str]:
        style = "it => getComputedStyle(it.querySelector('.outcome')).borderStyle"
        return row.evaluate(style), row.locator("use").get_attribute("href")

    assert look(simulated.first) == ("dashed", "#mark-simulated")
    assert look(real.first) != look(simulated.first)
    simulated.first.click()
    page.locator(".facts").get_by_text("simulated connection refused", exact=False).wait_for()


@pytest.fixture(scope="module")
def forgetful() -> Iterator[str]:
    """URL of a consumer that takes a second open of a mail for the first one."""
    with serve_in_thread(consumer_app("dedup-key-mail-id")) as url:
        yield url


def test_what_the_consumer_has_stored_beside_what_it_acknowledged(chromium: Any, forgetful: str) -> None:
    probe = ProbeOptions(url=f"{forgetful}/processed")
    with running_server(probe=probe, seed=7) as server, clean_page(chromium, server.url, viewport=WIDE) as page:
        opened(page, server)
        server.activated(f"{forgetful}/hook")
        page.get_by_text("The consumer has what it acknowledged.").wait_for()
        mail_id = server.control("POST", "/mails", {"recipientId": "joe@example.com"}).json()["mailId"]
        server.advance("10m")
        for _ in range(2):
            server.control("POST", "/act", {"mailId": mail_id, "type": "open"})
            server.advance("1m")
        page.get_by_text("The consumer's events differ from those it acknowledged: ").wait_for()
        assert int(page.locator("#stored-missing").inner_text()) >= 1
        page.get_by_text("of the difference").click()
        page.locator("#stored-events").get_by_text(f"mailId={mail_id}").first.wait_for()
        press(page, "Ask now")
        page.get_by_text("The consumer's events differ").wait_for()


def test_without_a_probe_there_is_no_panel_of_it(page: Any) -> None:
    assert page.get_by_role("heading", name="Stored by the consumer").is_hidden()


@pytest.fixture(scope="module")
def filled(chromium: Any) -> Iterator[Any]:
    """The page with a webhook and a mail that have long names."""
    with running_server() as server:
        server.activated("http://127.0.0.1:9/a/rather/long/path/that/goes/on/and/on", "filteredbyblocklist")
        server.control("POST", "/mails", {"recipientId": "somebody-with-a-rather-long-address@mail.example.com"})
        with clean_page(chromium, server.url) as page:
            opened(page, server)
            yield page


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [NARROW, WIDE], ids=["narrow", "wide"])
def test_forms_and_rows_fit_the_window(filled: Any, viewport: dict[str, int], scheme: str) -> None:
    page = filled
    page.set_viewport_size(viewport)
    page.emulate_media(color_scheme=scheme)
    page.get_by_role("button", name="Bounce: ").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    command(page, "Update").click()
    page.get_by_label("Credentials for the URL").select_option("keyAuth")
    width = viewport["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for control in page.locator("button, input, select").all():
        box = control.bounding_box()
        assert box is None or (box["x"] >= 0 and box["x"] + box["width"] <= width), control.inner_text()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()


def test_a_check_from_the_page_shows_its_verdict_and_its_report(server: Server, page: Any, forgetful: str) -> None:
    form = page.get_by_role("form", name="Check a consumer")
    form.get_by_label("Consumer's URL").fill(f"{forgetful}/hook")
    form.get_by_label("URL of its stored events").fill(f"{forgetful}/processed")
    form.get_by_label("Rules").fill("stores-repeat-engagement, no-such-rule")
    press(page, "Check")
    refused(page, "rules: unknown rule or family 'no-such-rule'")
    form.get_by_label("Rules").fill("stores-repeat-engagement, responds-200")
    press(page, "Check")
    told(page, "Check 1 has begun: 2 rules.")
    check = page.locator("#checks li")
    check.get_by_text("violated: ").wait_for()
    with page.context.expect_page() as opening:
        check.get_by_role("link", name="HTML report of check 1").click()
    report = opening.value
    report.get_by_text("stores-repeat-engagement").first.wait_for()
    # Whatever a report shows of a consumer, it cannot reach the server that shows it.
    assert report.evaluate("self.origin") == "null"
    press(page, "Remove check 1")
    page.get_by_text("No checks yet.").wait_for()
