"""The examples of the OpenAPI document: each call of them succeeds, or fails as its operation documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from mockcampaign.server.app import APIS
from mockcampaign.server.http import openapi
from servers import CLIENT, Server, running_server

NEEDS_MORE = {
    "deleteWebhook": 400,
    "removeWebhook": 400,
    "deactivateWebhook": 400,
    "deactivate": 400,
    "suspend": 400,
    "startSmartCampaign": 409,
    "deleteCampaignMessage": 409,
    "deleteSmartCampaign": 400,
    "deleteTransactionalMailing": 409,
    "startTransactionalMailing": 409,
    "delivery": 404,
    "stored": 404,
    "endFault": 404,
    **dict.fromkeys(("getJSONReport", "getHTMLReport", "getJUnitReport"), 409),  # nobody serves the consumer
}
"""Operations that need more than one webhook, smart campaign and mail of everything, with the documented status."""

FIRST = (
    "startCheck",
    "createWebhook",
    "createOrCopySmartCampaign",
    "createCampaignMessage",
    "addRecipient",
    "sendMail",
)

LAST = ("rotatePassword", "rotateUserPassword", "reset")
"""Operations after which others fail: later, the password of these tests is not valid any more."""


def described(server: Server) -> dict[str, tuple[str, str, Any]]:
    """Return path, method and description of each operation, as Swagger UI gets them now."""
    document = requests.get(f"{server.url}/openapi.json", timeout=10).json()
    return {
        operation["operationId"]: (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def executed(server: Server, described: tuple[str, str, Any]) -> requests.Response:
    """Call an operation with its examples alone, as Swagger UI does if nobody changes them."""
    path, method, operation = described
    query = {}
    for parameter in operation["parameters"]:
        value = parameter.get("example", parameter["schema"].get("default"))
        assert value is not None or not parameter["required"], (path, parameter["name"])
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", str(value).replace("*", "%2A"))
        elif value is not None:
            query[parameter["name"]] = value
    form = body = None
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if media_type == "application/json":
            body = content["example"]
        else:
            fields = content["schema"]["properties"].items()
            given = {key: _value(one) for key, one in fields}
            form = {key: value for key, value in given.items() if value != ""}
    if path.startswith("/rest/"):
        return server.rest(method.upper(), path.removeprefix(f"/rest/{CLIENT}"), form, params=query, json=body)
    return server.control(method.upper(), path.removeprefix("/__mockcampaign"), body, params=query)


def _value(schema: Any) -> Any:
    return schema.get("example", schema.get("default", next(iter(schema.get("enum", ())), "")))


@pytest.mark.slow
def test_every_example_works_in_a_server_that_has_one_of_everything() -> None:
    unexpected = []
    with running_server() as server:
        operations = described(server)
        deleting = [name for name, (_, method, _) in operations.items() if method == "delete"]
        others = [name for name in operations if name not in (*FIRST, *deleting, *LAST)]
        for name in (*FIRST, *others, *deleting[::-1], *LAST):
            answer = executed(server, described(server)[name])
            if answer.status_code != NEEDS_MORE.get(name) and not answer.ok:
                unexpected.append((name, answer.status_code, answer.text[:200]))
    assert not unexpected


@pytest.mark.slow
def test_every_example_gets_a_documented_response_from_a_fresh_server() -> None:
    undocumented = []
    with running_server() as server:
        for name, operation in described(server).items():
            assert server.control("POST", "/reset").status_code == 204
            status = str(executed(server, operation).status_code)
            if status not in operation[2]["responses"] or status.startswith("5"):
                undocumented.append((name, status))
    assert not undocumented


def test_a_server_with_a_token_says_where_it_is_needed() -> None:
    document = json.loads(openapi.document(APIS, CLIENT, needs_token=True))
    assert document["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}
    assert document["paths"]["/__mockcampaign/state"]["get"]["security"] == [{"token": []}]
    assert "token" not in json.loads(openapi.document(APIS, CLIENT))["components"]["securitySchemes"]
