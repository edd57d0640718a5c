"""Our OpenAPI document against the table of facts: paths, parameters, enumerations, statuses."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from mockcampaign.durations import DURATION_PATTERN
from mockcampaign.server.app import APIS
from mockcampaign.server.http.openapi import document
from servers import CLIENT

DOCUMENT = json.loads(document(APIS, CLIENT))

TYPES = [
    *("open", "click", "sent", "bounce", "unsubscribe", "spamcomplaint", "singleoptin", "confirmedoptin"),
    *("doubleoptin", "blocklist", "archive", "filteredbyblocklist"),
]
FORM = {"targetUrl", "type", "format", "authentication", "basicAuthUsername", "basicAuthPassword"}

FACTS: tuple[tuple[str, str, str, set[str], set[int]], ...] = (
    ("Create a webhook", "post", "", FORM | {"integrationId"}, {201, 400, 401, 413, 415}),
    (
        "Get information about all webhooks",
        "get",
        "",
        {"sort", "direction", "offset", "limit", "integrationId"},
        {200, 400, 401},
    ),
    ("Update a webhook", "put", "/{webhookId}", {"webhookId"} | FORM, {200, 400, 401, 404, 409, 413, 415}),
    (
        "Verify a webhook",
        "get",
        "/{webhookId}/verify",
        {"webhookId", "mailingId", "numberOfEvents"},
        {200, 400, 401, 404, 409},
    ),
    ("Activate a webhook", "post", "/{webhookId}/activate", {"webhookId"}, {200, 400, 401, 404, 409}),
    ("Deactivate a webhook", "post", "/{webhookId}/deactivate", {"webhookId"}, {200, 400, 401, 404, 409}),
    ("Delete a webhook", "delete", "/{webhookId}", {"webhookId"}, {204, 400, 401, 404, 409}),
)


def form_of(operation: Any) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    form: dict[str, Any] = content.get("application/x-www-form-urlencoded", {}).get("schema", {})
    return form


@pytest.mark.parametrize(("title", "method", "path", "fields", "statuses"), FACTS)
def test_the_operations_on_webhooks(title: str, method: str, path: str, fields: set[str], statuses: set[int]) -> None:
    operation = DOCUMENT["paths"]["/rest/{clientId}/webhooks" + path][method]
    assert operation["summary"] == title
    named = {parameter["name"] for parameter in operation["parameters"]} | set(form_of(operation).get("properties", {}))
    assert named == fields | {"clientId"}
    # Campaign has no guard against other sites, which the double needs, as it runs beside a browser.
    assert {int(status) for status in operation["responses"]} == statuses | {403}
    assert operation["security"] == [{"basic": []}]
    for status, response in operation["responses"].items():
        media_types = set(response.get("content", {}))
        expected = {"application/json", "application/vnd.optivo.broadmail.v1+json"}
        assert media_types == (set() if status == "204" else expected)


def test_there_are_no_other_operations_on_webhooks() -> None:
    found = {
        (method, path)
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
        if path.startswith("/rest/{clientId}/webhooks")
    }
    assert found == {(method, "/rest/{clientId}/webhooks" + path) for _, method, path, _, _ in FACTS}


def test_the_form_of_a_webhook() -> None:
    form = form_of(DOCUMENT["paths"]["/rest/{clientId}/webhooks"]["post"])
    assert form["required"] == ["targetUrl", "type", "format"]
    assert form["properties"]["type"]["enum"] == TYPES
    assert form["properties"]["format"]["enum"] == ["json"]
    assert [name for name, field in form["properties"].items() if field.get("deprecated")] == [
        "basicAuthUsername",
        "basicAuthPassword",
    ]


def test_the_parameters_of_the_list() -> None:
    operation = DOCUMENT["paths"]["/rest/{clientId}/webhooks"]["get"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
    assert schemas["sort"]["enum"] == [
        *("ID", "MAILING_GROUP", "TYPE", "NAME", "TEMPLATE", "STATUS", "PAYLOAD_FORMAT", "TARGET_URL"),
        *("INTEGRATION_ID", "AUTHENTICATION", "DATA", "CREATED", "MODIFIED"),
    ]
    assert schemas["direction"]["enum"] == ["ASC", "DESC"]
    defaults = {name: schema["default"] for name, schema in schemas.items() if "default" in schema}
    assert defaults == {"clientId": CLIENT, "sort": "CREATED", "direction": "DESC", "offset": 0, "limit": 100}


def test_a_webhook_in_responses() -> None:
    webhook = DOCUMENT["components"]["schemas"]["RestWebhook"]
    assert set(webhook["properties"]) == {
        *("id", "type", "status", "format", "targetUrl", "authentication", "created", "modified")
    }
    assert set(webhook["properties"]["type"]["enum"]) == {*TYPES, "archived", "webhooknode"} - {"archive"}
    assert set(webhook["properties"]["status"]["enum"]) == {
        *("created", "activated", "deactivated", "deleted", "suspended")
    }
    assert webhook["properties"]["id"]["format"] == "int64"
    assert webhook["properties"]["created"]["format"] == "date-time"


def test_the_operations_besides_webhooks() -> None:
    found = {
        f"{method.upper()} {path.removeprefix('/rest/{clientId}')}"
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
        if path.startswith("/rest/") and "/webhooks" not in path
    }
    campaign, mail = "/smartcampaigns/{campaignId}", "/transactionalmail/{transactionalMailId}"
    recipients, one = "/recipients/{recipientListId}", "/recipients/{recipientListId}/{recipientId}"
    assert found == {
        *("GET /users/authenticated", "POST /users/rotatepassword"),
        *("GET /smartcampaigns", "POST /smartcampaigns", f"POST {campaign}/start"),
        *(f"{method} {campaign}" for method in ("GET", "POST", "DELETE")),
        *(f"{method} {campaign}/{what}" for method in ("GET", "POST") for what in ("messages", "recipientLists")),
        *(f"{method} {campaign}/messages/{{mailingId}}" for method in ("GET", "DELETE")),
        "GET /confirmations",
        *("GET /optinprocesses", "GET /optinprocesses/{optinProcessId}"),
        *("GET /recipientlists", "GET /recipientlists/{recipientListId}"),
        *("GET /recipientlists/{recipientListId}/fields", "GET /recipientlists/{recipientListId}/attributeNames"),
        *(f"{method} {recipients}" for method in ("GET", "PUT", "POST")),
        f"GET {recipients}/count",
        *(f"{method} {one}" for method in ("GET", "POST", "DELETE")),
        f"GET {one}/valid",
        *("GET /transactionalmail", "POST /transactionalmail", "GET /transactionalmail/status", f"GET {mail}"),
        *(f"DELETE {mail}", f"POST {mail}/send", f"POST {mail}/start", f"POST {mail}/stop", f"GET {mail}/report"),
        "GET /mailid/{mailId}",
        *(f"{method} /unsubscribes" for method in ("GET", "POST", "DELETE")),
        *("GET /blacklistentries", "POST /blacklistentries", "GET /blacklistentries/blacklisted"),
        *("GET /blacklistentries/{entry}", "DELETE /blacklistentries/{entry}"),
        *("GET /responses/bounces/{recipientId}", "DELETE /responses/bounces/{recipientId}"),
    }


def test_a_duration_is_published_as_it_is_read() -> None:
    assert DOCUMENT["components"]["schemas"]["AdvanceRequest"]["properties"]["by"]["pattern"] == DURATION_PATTERN


def test_every_schema_is_valid_and_every_reference_resolves() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(DOCUMENT)
    for part in text.split("#/components/schemas/")[1:]:
        assert part.partition('"')[0] in DOCUMENT["components"]["schemas"]


def test_the_control_api_has_its_own_tag_and_needs_no_credentials() -> None:
    found = {
        (method, path.removeprefix("/__mockcampaign")): operation
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/__mockcampaign/")
    }
    assert set(found) == {
        *(("get", path) for path in ("/health", "/state", "/journal", "/stream", "/deliveries/{position}")),
        *(("get", path) for path in ("/clock", "/faults", "/mails", "/mails/choices", "/stored", "/discarded")),
        *(
            ("post", path)
            for path in ("/emit", "/mailing", "/clock/advance", "/outages", "/faults", "/reset", "/act", "/mails")
        ),
        *(("post", f"/webhooks/{{webhookId}}/{command}") for command in ("retry", "suspend", "verify")),
        *(("post", f"/webhooks/{{webhookId}}/{command}") for command in ("activate", "deactivate")),
        *(("post", "/webhooks"), ("put", "/webhooks/{webhookId}"), ("delete", "/webhooks/{webhookId}")),
        ("put", "/clock/speed"),
        ("post", "/users/rotate"),
        *(("delete", path) for path in ("/outages", "/faults", "/faults/{number}", "/checks/{id}")),
        *(("get", f"/checks{path}") for path in ("", "/{id}", "/{id}/stream")),
        *(("get", f"/checks/{{id}}/{report}") for report in ("report.json", "report.html", "junit.xml")),
        ("post", "/check"),
        ("post", "/expect"),
        ("post", "/run"),
        ("get", "/verdict"),
    }
    operations = list(found.values())
    assert {tag for operation in operations for tag in operation["tags"]} == {"Control"}
    assert not [operation for operation in operations if "security" in operation]


def _schema_at(schema: Any, pointer: str) -> Any:
    for part in pointer.strip("/").split("/"):
        while "$ref" in schema:
            schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        schema = schema["items"] if part.isdigit() else schema["properties"][part]
    return schema


def test_links_pass_on_what_responses_have_to_where_it_is_needed() -> None:
    operations = {
        operation["operationId"]: operation for methods in DOCUMENT["paths"].values() for operation in methods.values()
    }
    links = 0
    for operation in operations.values():
        given = {f"{one['in']}.{one['name']}" for one in operation["parameters"]}
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                links += 1
                follower = operations[link["operationId"]]
                taken = {f"{one['in']}.{one['name']}" for one in follower["parameters"]}
                assert link["parameters"].keys() <= taken
                if "requestBody" in link:
                    [content] = follower["requestBody"]["content"].values()
                    fields = content["schema"]
                    assert all(_schema_at(fields, name) for name in link["requestBody"])
                for expression in (*link["parameters"].values(), *link.get("requestBody", {}).values()):
                    place, _, pointer = expression.partition("#")
                    if place == "$response.body":
                        assert _schema_at(response["content"]["application/json"]["schema"], pointer)
                    else:
                        assert place.removeprefix("$request.") in given
    assert links > 100


def test_a_link_leads_to_everything_that_needs_what_a_call_has_made() -> None:
    webhooks = DOCUMENT["paths"]["/rest/{clientId}/webhooks"]["post"]["responses"]["201"]["links"]
    assert {"activateWebhook", "deactivateWebhook", "updateWebhook", "verifyWebhook", "deleteWebhook"} == set(webhooks)
    assert webhooks["updateWebhook"]["requestBody"] == {"type": "$response.body#/type"}
    added = DOCUMENT["paths"]["/rest/{clientId}/recipients/{recipientListId}"]["post"]["responses"]["201"]["links"]
    assert added["sendTransactionalMailing"] == {
        "operationId": "sendTransactionalMailing",
        "parameters": {"path.clientId": "$request.path.clientId"},
        "requestBody": {
            "recipientId": "$response.body#/id",
            "recipientListId": "$request.path.recipientListId",
        },
    }
    assert "addRecipients" not in added
