"""The life of a webhook in Swagger UI, clicked through in a real browser as the vendor's guide describes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from browsers import browser, clean_page, violations
from servers import CLIENT, PASSWORD, USER, Server, running_server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as running:
        yield running


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


def titled(page: Any, title: str) -> Any:
    """Return the operation of that title. By XPath, as Playwright reads all texts of a hundred operations for each."""
    description = f'*[contains(@class, "opblock-summary-description")][. = "{title}"]'
    return page.locator(f'xpath=//*[contains(@class, "opblock ")][.//{description}]')


def only(page: Any, tag: str) -> None:
    """Show the operations with a tag alone: Swagger UI renders all that it shows anew at each act of its user."""
    page.get_by_placeholder("Filter by tag").fill(tag)


def opened(page: Any, title: str) -> Any:
    """Return the operation of that title, opened and ready to be tried."""
    block = titled(page, title)
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    return block


def executed(block: Any) -> tuple[int, Any]:
    """Return status and body of the response that Swagger UI shows, and close the operation again."""
    block.get_by_role("button", name="Execute").click()
    live = block.locator(".live-responses-table .response")
    live.wait_for()
    status = int(live.locator(".response-col_status").inner_text().split()[0])
    shown = live.locator(".highlight-code code")
    body = json.loads(shown.first.text_content()) if status != 204 else None
    block.get_by_role("button", name="Clear").click()
    block.get_by_role("button", name="Cancel").click()
    block.locator(".opblock-summary-control").click()
    return status, body


def filled(block: Any, name: str, text: str) -> None:
    """Fill in a parameter or form field."""
    row = block.locator(f'tr[data-param-name="{name}"], tr[data-property-name="{name}"]')
    field = row.locator("input, textarea, select").first
    if field.evaluate("field => field.tagName") == "SELECT":
        field.select_option(text)
    else:
        field.fill(text)


def called(page: Any, title: str, **values: str) -> tuple[int, Any]:
    block = opened(page, title)
    for name, text in values.items():
        filled(block, name, text)
    return executed(block)


@pytest.mark.slow
def test_the_life_of_a_webhook(chromium: Any, server: Server, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook", method="POST").respond_with_data("", 200)
    target = httpserver.url_for("/hook")
    with clean_page(chromium, server.url) as page:
        page.goto(f"{server.url}/docs")
        authorized(page)
        only(page, "Webhooks")

        status, webhook = called(page, "Create a webhook", targetUrl=target, type="open", format="json")
        assert status == 201, webhook
        assert webhook["status"] == "created"
        number = str(webhook["id"])

        status, webhooks = called(page, "Get information about all webhooks")
        assert (status, [each["id"] for each in webhooks]) == (200, [webhook["id"]])

        status, webhook = called(page, "Activate a webhook", webhookId=number)
        assert (status, webhook["status"]) == (200, "activated")

        only(page, "Control")
        status, emitted = emit(page, {"type": "open", "count": 3})
        only(page, "Webhooks")
        assert (status, emitted) == (200, {"events": 3, "webhookIds": [webhook["id"]]})
        server.advance("1s")
        [delivery] = httpserver.log
        events = json.loads(delivery[0].get_data())
        assert [event["clientId"] for event in events] == [CLIENT] * 3

        status, refused = called(page, "Delete a webhook", webhookId=number)
        assert (status, refused["httpStatusCode"]) == (400, 400)

        status, webhook = called(page, "Deactivate a webhook", webhookId=number)
        assert (status, webhook["status"]) == (200, "deactivated")

        assert called(page, "Delete a webhook", webhookId=number) == (204, None)
        assert called(page, "Get information about all webhooks") == (200, [])


def emit(page: Any, body: dict[str, Any]) -> tuple[int, Any]:
    block = opened(page, "Emit events")
    block.locator(".body-param__text").fill(json.dumps(body))
    return executed(block)


def authorized(page: Any, user: str = USER, password: str = PASSWORD) -> None:
    page.locator(".auth-wrapper").get_by_role("button", name="Authorize").first.click()
    form = page.locator(".auth-container").first
    form.get_by_label("auth-basic-username").fill(user)
    form.get_by_label("auth-basic-password").fill(password)
    form.get_by_role("button", name="Apply credentials").click()
    page.locator(".modal-ux").get_by_role("button", name="Close").last.click()


@pytest.mark.slow
def test_without_credentials_a_call_shows_401_and_no_dialog_of_the_browser(chromium: Any, server: Server) -> None:
    # Where the browser would open its dialog, this one enters the right credentials.
    entered = {"username": USER, "password": PASSWORD}
    with clean_page(chromium, server.url, http_credentials=entered) as page:
        page.goto(f"{server.url}/docs")
        only(page, "Webhooks")
        status, rejected = called(page, "Get information about all webhooks")
        assert (status, rejected["httpStatusCode"]) == (401, 401)
        path = f"/rest/{CLIENT}/webhooks"
        assert page.evaluate("path => fetch(path).then(answer => answer.status)", path) == 200
        assert called(page, "Get information about all webhooks")[0] == 401
        authorized(page)
        assert called(page, "Get information about all webhooks")[0] == 200
    # To programs, the response is that of the vendor.
    rejection = server.rest("GET", "/webhooks", auth=(USER, "wrong"))
    assert rejection.headers["WWW-Authenticate"].startswith("Basic ")


UNCHANGED = {
    "Webhooks": ("createWebhook", "verifyWebhook"),
    "Unsubscribes": ("createUnsubscribes",),
    "Transactional mails": ("sendTransactionalMailing",),
    "Recipient lists": ("getRecipientList",),
    "Recipients": ("addRecipients",),
    "Blocklist entries": ("createBlacklistEntry",),
    "Control": ("emit", "declareFault", "stream"),
}
"""Operations of each place and kind of fields, whose examples differ, by tag. `test_examples` calls all operations."""


@pytest.mark.slow
def test_execute_works_without_a_change(chromium: Any, server: Server) -> None:
    with clean_page(chromium, server.url, viewport={"width": 1280, "height": 900}) as page:
        page.goto(f"{server.url}/docs")
        authorized(page)
        statuses = {}
        for tag, names in UNCHANGED.items():
            only(page, tag)
            for name in names:
                block = page.locator(f".opblock[id$='-{name}']")
                block.locator(".opblock-summary-control").click()
                block.get_by_role("button", name="Try it out").click()
                block.get_by_role("button", name="Execute").click()
                shown = block.locator(".live-responses-table .response .response-col_status")
                shown.wait_for()
                statuses[name] = int(shown.inner_text().split()[0])
                block.locator(".opblock-summary-control").click()
    assert [name for name, status in statuses.items() if not 200 <= status < 300] == []


OF_THE_LIBRARY = ("nested-interactive", "heading-order", "region")
"""Rules of axe that Swagger UI's own elements violate."""


@pytest.fixture(scope="module", params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    scheme: str = request.param
    return scheme


@pytest.fixture(scope="module")
def in_scheme(chromium: Any, scheme: str) -> Iterator[Any]:
    """The page as it is after its start in a colour scheme."""
    with running_server() as server, clean_page(chromium, server.url, color_scheme=scheme) as page:
        page.goto(f"{server.url}/docs")
        titled(page, "Create a webhook").wait_for()
        yield page


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_the_window_and_its_colours(in_scheme: Any, width: int, scheme: str) -> None:
    page = in_scheme
    page.set_viewport_size({"width": width, "height": 800})
    assert violations(page, OF_THE_LIBRARY) == []
    block = opened(page, "Create a webhook")
    block.get_by_role("button", name="Execute").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for button in page.locator(".opblock.is-open").get_by_role("button").all():
        box = button.bounding_box()
        assert box is None or box["x"] + box["width"] <= width, button.inner_text()
    red, *_ = page.evaluate("getComputedStyle(document.querySelector('.info .title')).color.match(/[0-9]+/g)")
    assert (int(red) > 127) == (scheme == "dark")
    block.get_by_role("button", name="Cancel").click()
    block.locator(".opblock-summary-control").click()


PARTS = (
    ("components", "securitySchemes"),
    ("components", "schemas", "StateView"),
    ("paths", "/rest/{clientId}/webhooks", "post"),
    ("paths", "/__mockcampaign/webhooks/{webhookId}", "put"),
    ("paths", "/__mockcampaign/mails/choices", "get"),
)

RESOLVED = """async (parts) => {
    const whole = ui.specSelectors.specJS();
    const kept = ([path]) => parts.some(([, name]) => name === path);
    whole.paths = Object.fromEntries(Object.entries(whole.paths).filter(kept));
    const library = SwaggerUIBundle({ domNode: document.createElement("div"), spec: {} });
    const baseDoc = new URL("/openapi.json", document.baseURI).href;
    const resolved = [];
    for (const part of parts)
        for (const { fn } of [ui.getSystem(), library.getSystem()])
            resolved.push(await fn.resolveSubtree(whole, part, { baseDoc }));
    return resolved;
}"""
"""What Swagger UI makes of each part of the document, here and as the library would."""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light"], indirect=True)
def test_a_part_of_the_document_is_resolved_as_if_the_whole_were_there(in_scheme: Any) -> None:
    resolved = in_scheme.evaluate(RESOLVED, PARTS)
    here, library = resolved[::2], resolved[1::2]
    assert here == library
    assert [part["errors"] for part in here] == [[]] * len(PARTS)
    assert "$ref" not in json.dumps([part["spec"] for part in here]).replace("$$ref", "")
