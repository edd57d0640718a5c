"""Who may control a server that has a token."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from mockcampaign.server.app import server_app
from mockcampaign.server.control_api.api import API
from mockcampaign.server.http.access import ControlAccess
from mockcampaign.server.served_campaign import ServedCampaign, ServerSettings
from mockcampaign.server.users import Users, users_of
from mockcampaign.transport.wire import WireTransport

TOKEN = "a-token-of-the-test"
REFUSED = (
    "the control API and the live page need the token that the server printed at its start, allowed: "
    "Authorization: Bearer TOKEN, or the token as password of any user"
)


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def response(method: str, path: str, authorization: str | None, *, token: str | None = TOKEN) -> tuple[int, Any, bytes]:
    """Return status, headers and body."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    async def main() -> None:
        users = Users({7: users_of(7, [("joe", "password")])})
        served = ServedCampaign(WireTransport(), users, ServerSettings(speed=0))
        app = server_app(served, access=ControlAccess(token))
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        if authorization is not None:
            headers.append((b"authorization", authorization.encode("latin-1")))
        scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}
        async with served.running():
            await app(scope, receive, send)

    asyncio.run(main())
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize("operation", API.operations, ids=lambda operation: operation.id)
def test_every_control_operation_but_health_needs_the_token(operation: Any) -> None:
    path = (
        f"{API.prefix}{operation.path}".replace("{webhookId}", "1").replace("{position}", "0").replace("{number}", "1")
    )
    status, headers, body = response(operation.method, path, None)
    if operation.id == "health":
        assert status == 200
    else:
        assert (status, body) == (401, b'{"error":"%b"}' % REFUSED.encode())
        assert headers[b"www-authenticate"] == b'Basic realm="mockcampaign control", charset="UTF-8"'


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("", 401),
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN} ", 200),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer é", 401),
        (TOKEN, 401),
        (basic(f":{TOKEN}"), 200),
        (basic(f"joe:{TOKEN}"), 200),
        (basic("joe:password"), 401),
        (basic(TOKEN), 401),
        (basic(f"{TOKEN}:"), 401),
        ("Basic !", 401),
        ("Basic", 401),
    ],
)
def test_the_token_is_a_bearer_token_or_the_password_of_any_user(authorization: str, status: int) -> None:
    assert response("GET", "/__mockcampaign/clock", authorization)[0] == status
    assert response("GET", "/__mockcampaign/no-such-path", authorization)[0] == (404 if status == 200 else 401)


def test_the_live_page_needs_the_token() -> None:
    assert response("GET", "/", None)[0] == 401
    assert response("HEAD", "/", basic("joe:password"))[0] == 401


def test_the_vendors_api_asks_for_its_own_credentials_only() -> None:
    assert response("GET", "/rest/7/webhooks", basic("joe:password"))[0] == 200
    assert response("GET", "/rest/7/webhooks", f"Bearer {TOKEN}")[0] == 401


def test_without_a_token_everybody_is_admitted() -> None:
    assert response("GET", "/__mockcampaign/clock", None, token=None)[0] == 200
