"""The vendor's REST API as clients meet it, over a real port."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlencode, urlsplit

import pytest
import requests
from pytest_httpserver import HTTPServer

from mockcampaign.campaign import SAMPLE_MAILING_ID
from mockcampaign.model import EventType
from mockcampaign.policy import Policy
from mockcampaign.server.http.request import BODY_BYTES_MAX, FIELDS_MAX
from mockcampaign.server.served_campaign import UNSUPPORTED_MAX, first_webhook_id
from mockcampaign.server.users import KNOWN_MAX, Users, users_of
from mockcampaign.server.vendor_api.api import VENDOR_JSON
from servers import CLIENT, FIRST_ID, OTHER_CLIENT, OTHER_PASSWORD, OTHER_USER, PASSWORD, USER, Server, running_server

TARGET = "http://127.0.0.1:9/hook"
FORM = {"targetUrl": TARGET, "type": "open", "format": "json"}
KEY = '{"type":"keyAuth","key":"X-Key","passphrase":"p"}'


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


def violations(answer: requests.Response) -> list[str]:
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert body["httpStatusCode"] == 400
    assert body["errorMessage"]
    return [str(violation) for violation in body["violations"]]


def test_a_new_webhook_is_created_and_returned(server: Server) -> None:
    answer = server.rest("POST", "/webhooks", FORM)
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "id": FIRST_ID,
        "type": "open",
        "status": "created",
        "format": "json",
        "targetUrl": TARGET,
        "authentication": {"type": "none"},
        "created": "2025-01-01T00:00:00.000Z",
        "modified": "2025-01-01T00:00:00.000Z",
    }
    assert server.rest("GET", "/webhooks").json() == [answer.json()]


@pytest.mark.parametrize("event_type", EventType)
def test_every_type_can_be_created(server: Server, event_type: EventType) -> None:
    answer = server.rest("POST", "/webhooks", {**FORM, "type": event_type.value})
    assert answer.status_code == 201
    assert answer.json()["type"] == ("archived" if event_type == "archive" else event_type.value)


def test_every_command_in_every_status(server: Server) -> None:
    commands = {
        "activate": ("POST", "/activate"),
        "deactivate": ("POST", "/deactivate"),
        "delete": ("DELETE", ""),
    }
    ways = {"created": (), "activated": ("activate",), "deactivated": ("activate", "deactivate")}
    success = {("created", "activate"), ("activated", "deactivate"), ("deactivated", "activate")}
    for status, way in ways.items():
        for command, (method, path) in commands.items():
            number = server.create()
            for step in way:
                assert server.rest(commands[step][0], f"/webhooks/{number}{commands[step][1]}").status_code == 200
            answer = server.rest(method, f"/webhooks/{number}{path}")
            if (status, command) in success:
                assert (answer.status_code, answer.json()["status"]) == (200, f"{command}d")
            elif (status, command) == ("deactivated", "delete"):
                assert (answer.status_code, answer.content) == (204, b"")
                assert server.rest("GET", "/webhooks").json() == []
            else:
                assert answer.status_code == 400, (status, command)
                assert f"in status {status}" in answer.json()["errorMessage"]
            server.control("POST", "/reset", {})


ON_ONE = (
    ("PUT", "", FORM),
    ("GET", "/verify?mailingId=1", None),
    ("POST", "/activate", None),
    ("POST", "/deactivate", None),
    ("DELETE", "", None),
)


@pytest.mark.parametrize(("method", "path", "form"), ON_ONE)
def test_404_for_an_unknown_webhook_and_409_for_another_clients(
    server: Server, method: str, path: str, form: Any
) -> None:
    number = server.create(client=OTHER_CLIENT)
    for wanted, status in ((number, 409), (number + 1, 404)):
        answer = server.rest(method, f"/webhooks/{wanted}{path}", form)
        assert (answer.status_code, answer.json()["httpStatusCode"]) == (status, status)
        assert answer.json()["violations"] == []


def test_a_client_sees_only_its_own_webhooks(server: Server) -> None:
    mine, others = server.create(), server.create(client=OTHER_CLIENT)
    assert [webhook["id"] for webhook in server.rest("GET", "/webhooks").json()] == [mine]
    assert [webhook["id"] for webhook in server.rest("GET", "/webhooks", client=OTHER_CLIENT).json()] == [others]


@pytest.mark.parametrize("path", ["/webhooks", "/webhooks/1/activate", "/users/authenticated", "/smartcampaigns"])
def test_401_without_valid_credentials(server: Server, path: str) -> None:
    method = "POST" if path.endswith("activate") else "GET"
    for auth in (None, (USER, "wrong"), ("wrong", PASSWORD), ("other", "s3cret-of-other")):
        answer = server.rest(method, path, auth=auth)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert answer.json()["httpStatusCode"] == 401
        assert PASSWORD not in answer.text
    for header in ("Bearer x", "Basic", "Basic !", "Basic " + base64.b64encode(b"acme").decode()):
        answer = server.rest(method, path, auth=_NoAuth(), headers={"Authorization": header})
        assert answer.status_code == 401
    assert server.rest(method, path, client=3, auth=(USER, PASSWORD)).status_code == 401


def test_credentials_are_read_as_strictly_as_http_demands(server: Server) -> None:
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for header, status in (
        (f"Basic {token}", 200),
        (f"basic {token}", 200),
        (f"BASIC  {token} ", 200),
        (f"Basic{token}", 401),
        (f"Basic {token[:4]}!{token[4:]}", 401),
        (f"Basic {token[:4]} {token[4:]}", 401),
        (f"Basic {token}=", 401),
        (f"Bearer {token}", 401),
        (f"Basic {base64.b64encode(USER.encode()).decode()}", 401),
        (f"Basic {base64.b64encode(f'{USER}:{PASSWORD}:'.encode()).decode()}", 401),
    ):
        answer = server.rest("GET", "/webhooks", auth=_NoAuth(), headers={"Authorization": header})
        assert answer.status_code == status, header


def test_valid_credentials_are_valid_for_their_client_only(server: Server) -> None:
    for _ in range(2):  # also once they are remembered
        assert server.rest("GET", "/webhooks", client=OTHER_CLIENT).status_code == 200
        assert server.rest("GET", "/webhooks", auth=(OTHER_USER, OTHER_PASSWORD)).status_code == 401
        assert server.rest("GET", "/webhooks").status_code == 200
        assert server.rest("GET", "/webhooks", client=OTHER_CLIENT, auth=(USER, PASSWORD)).status_code == 401


def test_the_number_of_remembered_credentials_is_bounded() -> None:
    users = Users({CLIENT: users_of(CLIENT, [(USER, PASSWORD)])})
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for blanks in range(KNOWN_MAX + 100):
        user = users.authenticated(CLIENT, f"Basic{' ' * (1 + blanks)}{token}", 0)
        assert user is not None
        assert user.username == USER
    assert len(users._known) <= KNOWN_MAX
    assert PASSWORD not in repr(users) + repr(vars(users)["_users_of_client"])


class _NoAuth(requests.auth.AuthBase):
    """Leaves a header as it is given."""

    def __call__(self, request: Any) -> Any:
        return request


def test_the_authenticated_user(server: Server) -> None:
    answer = server.rest("GET", "/users/authenticated")
    assert answer.status_code == 200
    assert answer.json()["username"] == USER
    assert set(answer.json()) == {"id", "username", "email"}
    assert answer.json()["id"] != server.rest("GET", "/users/authenticated", client=OTHER_CLIENT).json()["id"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (VENDOR_JSON, VENDOR_JSON),
        (f"text/html, {VENDOR_JSON};q=0.9", VENDOR_JSON),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
    ],
)
def test_the_response_has_the_media_type_that_the_client_accepts(
    server: Server, accept: str, content_type: str
) -> None:
    for path, status in (("/webhooks", 200), ("/webhooks?limit=0", 400)):
        answer = server.rest("GET", path, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (status, content_type)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/webhooks", "GET, HEAD, POST"),
        ("/webhooks/1", "DELETE, PUT"),
        ("/webhooks/1/activate", "POST"),
        ("/users/authenticated", "GET, HEAD"),
    ],
)
def test_405_names_the_allowed_methods(server: Server, path: str, allowed: str) -> None:
    answer = server.rest("PATCH", path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert allowed in answer.json()["errorMessage"]


@pytest.mark.parametrize("slash", ["%2F", "%2f"])
def test_an_encoded_slash_belongs_to_its_segment(server: Server, slash: str) -> None:
    number = server.create()
    assert server.rest("POST", f"/webhooks/{number}{slash}activate").status_code == 405
    [violation] = violations(server.rest("DELETE", f"/webhooks/{number}{slash}activate"))
    assert violation.startswith(f"webhookId: '{number}/activate' is not valid")
    assert server.rest("GET", "/webhooks").json()[0]["status"] == "created"
    # Other characters mean the same, encoded or not.
    assert server.rest("POST", f"/web%68ooks/{number}/%61ctivate").json()["status"] == "activated"


def test_a_line_break_does_not_end_a_path(server: Server) -> None:
    assert server.rest("GET", "/webhooks%0A").status_code == 501
    assert server.rest("POST", "/webhooks/1/activate%0A").status_code == 501


def test_404_for_a_path_without_operation(server: Server) -> None:
    for path in ("", "/", "/webhooks/", "//webhooks", "/webhooks//activate"):
        answer = server.rest("GET", path)
        assert (answer.status_code, answer.json()["httpStatusCode"]) == (404, 404)


def test_501_for_an_operation_that_only_the_vendor_has(server: Server) -> None:
    for method, path, operation in (
        ("GET", "/recipients/7/joe%40example.com/optinstatus", "GET /recipients/…"),
        ("GET", "/recipients/7/ann%40example.com/optinstatus", "GET /recipients/…"),
        ("POST", "/recipients/7/modify/x", "POST /recipients/…"),
        ("DELETE", "/webhooks/1/pause", "DELETE /webhooks/…"),
        ("GET", "/mailid", "GET /mailid"),
        ("GET", "/a%0Ab%2Fc", "GET /a%0Ab%2Fc"),
    ):
        answer = server.rest(method, path)
        assert (answer.status_code, answer.json()) == (
            501,
            {
                "httpStatusCode": 501,
                "errorMessage": f"{operation} is not an operation of this double; /docs lists those that it has",
                "violations": [],
            },
        )
    assert server.state()["unsupported"] == [
        {"operation": "GET /recipients/…", "calls": 2},
        {"operation": "POST /recipients/…", "calls": 1},
        {"operation": "DELETE /webhooks/…", "calls": 1},
        {"operation": "GET /mailid", "calls": 1},
        {"operation": "GET /a%0Ab%2Fc", "calls": 1},
    ]
    assert server.rest("GET", "/recipients", auth=None).status_code == 401
    server.control("POST", "/reset")
    assert server.state()["unsupported"] == []


def test_the_number_of_unsupported_operations_that_are_counted_is_limited(server: Server) -> None:
    for number in range(UNSUPPORTED_MAX + 2):
        assert server.rest("GET", f"/x{number}").status_code == 501
    server.rest("GET", "/x0")
    counted = server.state()["unsupported"]
    assert (len(counted), counted[0]) == (UNSUPPORTED_MAX, {"operation": "GET /x0", "calls": 2})


def test_a_slash_within_a_segment_of_a_path_does_not_divide_it(server: Server) -> None:
    number = server.create()
    assert server.rest("POST", f"/webhooks/{number}%2Factivate").status_code == 405
    assert server.rest("PUT", f"/webhooks/{number}%2Factivate", FORM).status_code == 400
    [webhook] = server.rest("GET", "/webhooks").json()
    assert webhook["status"] == "created"


def test_a_client_may_have_one_webhook_of_each_type(server: Server) -> None:
    for event_type in EventType:
        server.create(event_type=event_type)
    assert "limit" in server.rest("POST", "/webhooks", FORM).json()["errorMessage"]


def test_ids_of_webhooks_are_large_and_never_used_again(server: Server) -> None:
    first = [server.create(), server.create(client=OTHER_CLIENT)]
    server.rest("DELETE", f"/webhooks/{first[0]}")
    server.control("POST", "/reset")
    server.control("POST", "/reset")
    second = [server.create(), server.create()]
    assert first + second == list(range(FIRST_ID, FIRST_ID + 4))
    assert 2**31 <= FIRST_ID < 2**53
    assert len({first_webhook_id(seed) for seed in range(1_000)}) == 1_000


def test_a_json_body_gets_415_and_a_hint(server: Server) -> None:
    answer = server.rest("POST", "/webhooks", json.dumps(FORM), headers={"Content-Type": "application/json"})
    assert answer.status_code == 415
    assert "form, not as JSON" in answer.json()["errorMessage"]
    assert server.rest("GET", "/webhooks").json() == []


def test_an_empty_form_needs_no_content_type_but_no_wrong_one(server: Server) -> None:
    assert server.rest("POST", "/smartcampaigns").status_code == 201
    for sent in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
        assert server.rest("POST", "/smartcampaigns", headers={"Content-Type": sent}).status_code == 415
        assert server.rest("POST", "/smartcampaigns", "name=x", headers={"Content-Type": sent}).status_code == 415
    assert server.rest("GET", "/smartcampaigns").json()["count"] == 1


@pytest.mark.parametrize("size", [BODY_BYTES_MAX, BODY_BYTES_MAX + 1])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_gets_413(server: Server, size: int, chunked: bool) -> None:
    body = b"type=open&x=".ljust(size, b"y")
    answer = server.rest(
        "POST",
        "/webhooks",
        iter([body[: size // 2], body[size // 2 :]]) if chunked else body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == (400 if size <= BODY_BYTES_MAX else 413)
    assert server.rest("GET", "/webhooks").status_code == 200


@pytest.mark.parametrize("path", [f"/rest/{CLIENT}/webhooks", "/__mockcampaign/emit"])
def test_a_body_that_announces_too_many_bytes_is_rejected_at_once(server: Server, path: str) -> None:
    address = urlsplit(server.url)
    credentials = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    kind = "application/json" if "emit" in path else "application/x-www-form-urlencoded"
    head = (
        f"POST {path} HTTP/1.1",
        f"Host: {address.netloc}",
        f"Authorization: Basic {credentials}",
        f"Content-Type: {kind}",
        f"Content-Length: {BODY_BYTES_MAX + 1}",
    )
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall("\r\n".join((*head, "", "")).encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))  # to the end: the server closes the connection
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize("count", [FIELDS_MAX, FIELDS_MAX + 1])
def test_the_number_of_fields_in_a_form_and_a_query_is_limited(server: Server, count: int) -> None:
    fields = "&".join(
        [*(f"{name}={quote(text)}" for name, text in FORM.items()), *(f"x{n}=" for n in range(count - 3))]
    )
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answers = [
        server.rest("POST", "/webhooks", fields, headers=kind),
        server.rest("GET", f"/webhooks?{'&'.join(f'x{n}=' for n in range(count))}"),
    ]
    assert [answer.status_code for answer in answers] == ([201, 200] if count == FIELDS_MAX else [400, 400])
    if count > FIELDS_MAX:
        assert {answer.json()["errorMessage"] for answer in answers} == {
            f"{FIELDS_MAX + 1} fields, allowed: up to {FIELDS_MAX}"
        }


def test_fields_are_decoded_as_browsers_encode_them(server: Server) -> None:
    label = "a b+c%&=;ä€\U0001f600"
    number = server.create(integrationId=label)
    kind = {"Content-Type": "Application/X-WWW-Form-Urlencoded; charset=UTF-8"}
    again = server.rest("POST", "/webhooks", f"{urlencode(FORM)}&integration%49d={quote_plus(label)}&&=", headers=kind)
    assert again.status_code == 201
    for query in (quote(label, safe=""), quote_plus(label)):
        listed = server.rest("GET", f"/webhooks?integrationId={query}&").json()
        assert [webhook["id"] for webhook in listed] == [number + 1, number]


@pytest.mark.parametrize("encoded", [b"%ff", b"%c3", b"\xff", b"\xc3\xa4"])
@pytest.mark.parametrize("name", [b"integrationId", b"un%6bnown"])
def test_a_field_that_is_not_encoded_text_is_named(server: Server, name: bytes, encoded: bytes) -> None:
    form = urlencode(FORM).encode() + b"&" + name + b"=" + encoded
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    found = violations(server.rest("POST", "/webhooks", form, headers=kind))
    assert found == [f"{unquote(name.decode())}: is not percent-encoded UTF-8"]
    assert server.rest("GET", "/webhooks").json() == []


def test_head_is_get_without_the_body(server: Server) -> None:
    server.create()
    full, head = server.rest("GET", "/webhooks"), server.rest("HEAD", "/webhooks")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == full.headers["content-length"]


def test_no_response_may_be_sniffed(server: Server) -> None:
    number = server.activated(TARGET)
    server.rest("POST", f"/webhooks/{number}/deactivate")
    answers = [
        server.rest("GET", "/webhooks"),
        server.rest("POST", "/webhooks", {}),
        server.rest("GET", "/webhooks", auth=None),
        server.rest("GET", "/nothing"),
        server.rest("PATCH", "/webhooks"),
        server.rest("DELETE", f"/webhooks/{number}"),
        server.rest("GET", "/webhooks", headers={"Host": "attacker.example"}),
        server.control("GET", "/state"),
        server.control("POST", "/emit", {}),
        server.control("GET", "/stream", stream=True),
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 401, 501, 405, 204, 403, 200, 400, 200]
    assert {answer.headers["x-content-type-options"] for answer in answers} == {"nosniff"}
    answers[-1].close()


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("targetUrl", "http://example.com/".ljust(2_000, "a")),
        ("integrationId", "a" * 2_000),
        ("authentication", '{"type":"basicAuth","userName":"a","password":""}'),
        ("authentication", ' {"passphrase":"p","key":"X-Key","type":"keyAuth"} '),
    ],
)
def test_the_longest_and_the_oddest_that_is_right_is_accepted(server: Server, field: str, text: str) -> None:
    assert server.rest("POST", "/webhooks", {**FORM, field: text}).status_code == 201


def test_the_greatest_numbers_of_a_list_are_accepted(server: Server) -> None:
    number = server.create()
    for query in ("offset=2147483647", "limit=2147483647", "offset=0&limit=1"):
        answer = server.rest("GET", f"/webhooks?{query}")
        assert (answer.status_code, len(answer.json())) == (200, 0 if "offset=2" in query else 1)
    assert number == FIRST_ID


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("targetUrl", None),
        ("targetUrl", ""),
        ("targetUrl", "ftp://example.com/"),
        ("targetUrl", "file:///etc/passwd"),
        ("targetUrl", "//example.com/"),
        ("targetUrl", "http://"),
        ("targetUrl", "http://user:password@example.com/"),
        ("targetUrl", "http://example.com:99999/"),
        ("targetUrl", "http://[::1%é]/"),
        ("targetUrl", "http://a%20b/"),
        ("targetUrl", "http://example.com/\r\nX: y"),
        ("targetUrl", "http://example.com/ a"),
        ("targetUrl", "http://example.com/" + "a" * 2_000),
        ("type", None),
        ("type", "Open"),
        ("type", "archived"),
        ("type", "webhooknode"),
        ("format", None),
        ("format", "xml"),
        ("authentication", "{"),
        ("authentication", "[]"),
        ("authentication", "null"),
        ("authentication", '{"type":"digest"}'),
        ("authentication", '{"type":"basicAuth","userName":"a"}'),
        ("authentication", '{"type":"basicAuth","userName":"","password":"b"}'),
        ("authentication", '{"type":"basicAuth","userName":"a:b","password":"c"}'),
        ("authentication", '{"type":"keyAuth","key":"X-Key"}'),
        ("authentication", '{"type":"keyAuth","key":"X Key","passphrase":"p"}'),
        ("authentication", '{"type":"keyAuth","key":"X-Key","passphrase":"p\\r\\nX: y"}'),
        ("authentication", '{"type":"keyAuth","key":"Content-Length","passphrase":"5"}'),
        ("authentication", '{"type":"none","extra":1}'),
        ("authentication", "[" * 5_000),
        ("basicAuthUsername", "lonely"),
        ("basicAuthPassword", "lonely"),
        ("integrationId", "a\x00b"),
        ("integrationId", "a\x7fb"),
        ("targetUrl", "http://example.com/".ljust(2_001, "a")),
        ("integrationId", "a" * 2_001),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_created(server: Server, field: str, text: str | None) -> None:
    form = {name: value for name, value in {**FORM, field: text}.items() if value is not None}
    [violation] = violations(server.rest("POST", "/webhooks", form))
    named = {"basicAuthUsername": "basicAuthPassword", "basicAuthPassword": "basicAuthUsername"}.get(field, field)
    assert violation.startswith(f"{named}: ")
    assert server.rest("GET", "/webhooks").json() == []
    number = server.create()
    if field != "integrationId":
        assert violations(server.rest("PUT", f"/webhooks/{number}", form)) == [violation]


def test_all_wrong_fields_are_named_at_once(server: Server) -> None:
    found = violations(server.rest("POST", "/webhooks", {"type": "x", "authentication": "{"}))
    assert [violation.partition(":")[0] for violation in found] == ["targetUrl", "type", "format", "authentication"]


def test_a_missing_field_is_rejected_with_what_is_allowed(server: Server) -> None:
    assert violations(server.rest("POST", "/webhooks", {"type": "", "format": ""})) == [
        "targetUrl: missing, allowed: http(s)://host[:port]/path",
        f"type: missing, allowed: {', '.join(EventType)}",
        "format: missing, allowed: json",
    ]
    number = server.create()
    found = violations(server.rest("GET", f"/webhooks/{number}/verify"))
    assert found == ["mailingId: missing, allowed: a whole number from 1 to 9223372036854775807"]


def test_a_repeated_field_is_rejected(server: Server) -> None:
    found = violations(server.rest("POST", "/webhooks", [*FORM.items(), ("type", "click")]))
    assert found == ["type: given 2 times, allowed: once"]
    found = violations(server.rest("GET", "/webhooks?limit=1&limit=2"))
    assert found == ["limit: given 2 times, allowed: once"]


@pytest.mark.parametrize("number", ["0", "-1", "1.0", "x", "9223372036854775808", "1" * 100, "%00"])
def test_an_invalid_id_is_rejected(server: Server, number: str) -> None:
    for method, path, form in ON_ONE:
        [violation] = violations(server.rest(method, f"/webhooks/{number}{path}", form))
        assert violation.startswith("webhookId: ")
    [violation] = violations(server.rest("GET", "/webhooks", client=number))
    assert violation.startswith("clientId: ")


def test_the_greatest_id_is_valid_but_unknown(server: Server) -> None:
    assert server.rest("POST", "/webhooks/9223372036854775807/activate").status_code == 404


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sort", "i d"),
        ("sort", ""),
        ("direction", "UP"),
        ("offset", "-1"),
        ("offset", "2147483648"),
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "ten"),
        ("integrationId", "%01"),
        ("integrationId", "%ff"),
    ],
)
def test_a_wrong_query_parameter_is_named(server: Server, name: str, text: str) -> None:
    answer = server.rest("GET", f"/webhooks?{name}={text}")
    assert [violation.partition(":")[0] for violation in violations(answer)] == [name]


@pytest.mark.parametrize("query", ["", "mailingId=0", "mailingId=1&numberOfEvents=0", "mailingId=1&numberOfEvents=101"])
def test_a_wrong_verification_is_rejected(server: Server, query: str) -> None:
    number = server.create()
    [violation] = violations(server.rest("GET", f"/webhooks/{number}/verify?{query}"))
    assert violation.partition(":")[0] in ("mailingId", "numberOfEvents")


def test_the_creation_limit_is_each_clients_own() -> None:
    with running_server(policy=Policy(webhooks_per_client_max=2)) as server:
        server.create()
        second = server.activated(TARGET)
        answer = server.rest("POST", "/webhooks", FORM)
        assert answer.status_code == 400
        assert "limit" in answer.json()["errorMessage"]
        server.create(client=OTHER_CLIENT)
        server.rest("POST", f"/webhooks/{second}/deactivate")
        server.rest("DELETE", f"/webhooks/{second}")
        assert server.rest("POST", "/webhooks", FORM).status_code == 201


def test_lists_are_sorted_cut_and_filtered(server: Server) -> None:
    targets = ["http://b.example/", "http://a.example/", "http://c.example/"]
    types = ["open", "click", "bounce"]
    for target, event_type, integration in zip(targets, types, ["x", "y", "x"], strict=True):
        server.create(target, event_type, integrationId=integration)

    def ids(query: str) -> list[int]:
        return [webhook["id"] - FIRST_ID + 1 for webhook in server.rest("GET", f"/webhooks?{query}").json()]

    assert ids("") == [3, 2, 1]
    assert ids("direction=ASC") == [1, 2, 3]
    assert ids("sort=TARGET_URL&direction=ASC") == [2, 1, 3]
    assert ids("sort=TYPE") == [1, 2, 3]
    assert ids("sort=NAME&direction=ASC") == [1, 2, 3]
    assert ids("offset=1") == [2, 1]
    assert ids("offset=1&limit=1") == [2]
    assert ids("offset=3") == []
    assert ids("integrationId=x") == [3, 1]
    assert ids("integrationId=z") == []
    server.rest("POST", f"/webhooks/{FIRST_ID + 1}/activate")
    assert ids("sort=STATUS&direction=ASC&limit=1") == [2]
    assert ids("sort=INTEGRATION_ID") == [2, 3, 1]
    server.advance("1s")
    keyed = {"targetUrl": targets[1], "type": types[1], "format": "json", "authentication": KEY}
    assert server.rest("PUT", f"/webhooks/{FIRST_ID + 1}", keyed).status_code == 200
    assert ids("sort=AUTHENTICATION&direction=ASC") == [2, 1, 3]
    assert ids("sort=MODIFIED") == [2, 3, 1]


@pytest.mark.parametrize("direction", ["ASC", "asc", "Asc"])
@pytest.mark.parametrize("sort", ["TARGET_URL", "target_url", "Target_Url"])
def test_words_of_a_list_are_accepted_in_upper_and_lower_case(server: Server, sort: str, direction: str) -> None:
    for target in ("http://b.example/", "http://a.example/"):
        server.create(target)
    found = server.rest("GET", f"/webhooks?sort={sort}&direction={direction}").json()
    assert [webhook["id"] for webhook in found] == [FIRST_ID + 1, FIRST_ID]
    server.rest("POST", "/smartcampaigns", {"name": "b", "mediaType": "SMS"})
    server.rest("POST", "/smartcampaigns", {"name": "a"})
    page = server.rest("GET", f"/smartcampaigns?sort=NAME&direction={direction}").json()
    assert [campaign["name"] for campaign in page["elements"]] == ["a", "b"]


def test_update_changes_target_and_credentials_and_keeps_the_rest(server: Server, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/new").respond_with_data("")
    number = server.activated(TARGET, basicAuthUsername="joe", basicAuthPassword="pw:1")
    answer = server.rest("PUT", f"/webhooks/{number}", {**FORM, "targetUrl": httpserver.url_for("/new")})
    assert (answer.status_code, answer.json()["authentication"]) == (200, {"type": "basicAuth"})
    server.control("POST", "/emit", {"type": "open"})
    server.advance("1s")
    request, _ = httpserver.log[0]
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"joe:pw:1").decode()
    none = server.rest("PUT", f"/webhooks/{number}", {**FORM, "authentication": '{"type":"none"}'})
    assert none.json()["authentication"] == {"type": "none"}


def test_update_does_not_change_the_type(server: Server) -> None:
    number = server.create()
    assert server.rest("PUT", f"/webhooks/{number}", {**FORM, "type": "click"}).status_code == 400


@pytest.mark.parametrize(
    ("fields", "kind", "header", "text"),
    [
        ({}, "none", "Authorization", None),
        ({"authentication": '{"type":"none"}'}, "none", "Authorization", None),
        (
            {"basicAuthUsername": "joe", "basicAuthPassword": "p"},
            "basicAuth",
            "Authorization",
            "Basic " + base64.b64encode(b"joe:p").decode(),
        ),
        (
            {"authentication": '{"type":"basicAuth","userName":"joe","password":"pä ß"}'},
            "basicAuth",
            "Authorization",
            "Basic " + base64.b64encode("joe:pä ß".encode()).decode(),
        ),
        (
            {"authentication": '{"type":"keyAuth","key":"Authorization","passphrase":"Bearer t0ken"}'},
            "keyAuth",
            "Authorization",
            "Bearer t0ken",
        ),
        (
            {"authentication": '{"type":"keyAuth","key":"X-Api-Key","passphrase":"k"}'},
            "keyAuth",
            "X-Api-Key",
            "k",
        ),
    ],
)
def test_every_request_carries_the_credentials(
    server: Server, httpserver: HTTPServer, fields: dict[str, str], kind: str, header: str, text: str | None
) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    server.activated(httpserver.url_for("/hook"), **fields)
    [webhook] = server.rest("GET", "/webhooks").json()
    assert webhook["authentication"] == {"type": kind}
    server.control("POST", "/emit", {"type": "open", "count": 150})
    server.advance("1s")
    assert [request.headers.get(header) for request, _ in httpserver.log] == [text, text]


def test_credentials_given_in_both_ways_must_agree(server: Server) -> None:
    both = {"basicAuthUsername": "joe", "basicAuthPassword": "p"}
    same = {**both, "authentication": '{"type":"basicAuth","userName":"joe","password":"p"}'}
    assert server.rest("POST", "/webhooks", {**FORM, **same}).status_code == 201
    [violation] = violations(server.rest("POST", "/webhooks", {**FORM, **both, "authentication": '{"type":"none"}'}))
    assert violation.startswith("authentication: ")


@pytest.mark.parametrize("count", [1, 99, 100])
def test_verify_sends_sample_events_of_the_mailing_and_returns_the_response(
    server: Server, httpserver: HTTPServer, count: int
) -> None:
    httpserver.expect_request("/hook").respond_with_data("thanks", 202)
    number = server.create(httpserver.url_for("/hook"), "click")
    query = f"mailingId={SAMPLE_MAILING_ID}" if count == 1 else f"mailingId={SAMPLE_MAILING_ID}&numberOfEvents={count}"
    answer = server.rest("GET", f"/webhooks/{number}/verify?{query}")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "id": number,
            "httpStatusCode": 202,
            "responseBody": "thanks",
            "numberOfEvents": count,
            "targetUrl": httpserver.url_for("/hook"),
        },
    )
    [(request, _)] = httpserver.log
    events = request.get_json()
    assert len(events) == count
    shared = {(event["type"], event["mailingId"], event["clientId"]) for event in events}
    assert shared == {("click", SAMPLE_MAILING_ID, CLIENT)}
    assert server.state()["deliveries"] == {"attempts": 0, "delivered": 0, "discarded": 0, "pending": 0}


def test_verify_says_why_there_is_no_response(server: Server) -> None:
    number = server.create(TARGET)
    answer = server.rest("GET", f"/webhooks/{number}/verify?mailingId={SAMPLE_MAILING_ID}").json()
    assert (answer["httpStatusCode"], answer["responseBody"]) == (0, "connection refused")
    server.control("POST", "/outages", {"kind": "connect-timeout", "for": "1h"})
    answer = server.rest("GET", f"/webhooks/{number}/verify?mailingId={SAMPLE_MAILING_ID}").json()
    assert (answer["httpStatusCode"], answer["responseBody"]) == (0, "no response within the time-out")


@pytest.mark.parametrize("event_type", EventType)
def test_verify_needs_a_mailing_of_the_client(server: Server, event_type: EventType) -> None:
    number, others = server.create(event_type=event_type), server.create(client=OTHER_CLIENT)

    def status(mailing: int, webhook: int = number, client: int = CLIENT) -> int:
        return server.rest("GET", f"/webhooks/{webhook}/verify?mailingId={mailing}", client=client).status_code

    [violation] = violations(server.rest("GET", f"/webhooks/{number}/verify?mailingId=42"))
    assert violation == (
        f"mailingId: 42 is not a mailing of this client, allowed: {SAMPLE_MAILING_ID}, and the id of a mailing of a "
        "smart campaign, a transactional mail or events that were emitted"
    )
    campaign = server.rest("POST", "/smartcampaigns", {"name": "x"}).json()["id"]
    made = server.rest("POST", f"/smartcampaigns/{campaign}/messages").json()["mailingId"]
    sent = server.control("POST", "/mailing", {"recipients": 1}).json()["mailingId"]
    server.control("POST", "/emit", {"type": "open", "count": 2})
    like = {"type": "open", "mailingId": 43}
    server.control("POST", "/emit", {"type": "open", "like": like})
    server.control("POST", "/emit", {"type": "open", "like": {**like, "mailingId": "x"}})
    entries = server.control("GET", "/journal").json()["entries"]
    assert [entry["count"] for entry in entries if entry["entry"] == "happened"] == [2, 1, 1]
    for mailing in (made, sent, 43):
        assert status(mailing) == 200
        assert status(mailing, others, OTHER_CLIENT) == 400
    assert status(SAMPLE_MAILING_ID, others, OTHER_CLIENT) == 200
    server.control("POST", "/reset")
    number = server.create()
    assert status(sent, number) == 400


def test_the_way_of_the_vendors_own_client_to_a_mailing_id(server: Server) -> None:
    empty = server.rest("GET", "/smartcampaigns")
    assert empty.json() == {"elements": [], "links": [], "count": 0, "offset": 0, "limit": 100}
    made = server.rest("POST", "/smartcampaigns", {"name": "webhook test"})
    assert (made.status_code, made.json()["name"]) == (201, "webhook test")
    path = f"/smartcampaigns/{made.json()['id']}"
    assert server.rest("GET", f"{path}/messages").json() == []
    message = server.rest("POST", f"{path}/messages", {"name": "mail", "subject": "hello"})
    assert (message.status_code, message.json()["mediaType"]) == (201, "email")
    assert server.rest("GET", f"{path}/messages").json() == [message.json()]
    assert server.rest("GET", path).json()["messages"] == [message.json()]
    copy = server.rest("POST", "/smartcampaigns", {"sourceCampaignId": str(made.json()["id"])}).json()
    assert copy["messages"][0]["mailingId"] != message.json()["mailingId"]
    assert server.rest("GET", path, client=OTHER_CLIENT).status_code == 404
    assert server.rest("DELETE", f"{path}/messages/{message.json()['mailingId']}").status_code == 204
    assert server.rest("DELETE", f"{path}/messages/{message.json()['mailingId']}").status_code == 404
    assert server.rest("DELETE", path).status_code == 204
    assert server.rest("GET", path).status_code == 404


def test_smart_campaigns_are_sorted_cut_and_filtered(server: Server) -> None:
    for name in ("b", "c", "a"):
        server.rest("POST", "/smartcampaigns", {"name": name})
        server.advance("1s")

    def names(query: str) -> list[str]:
        return [campaign["name"] for campaign in server.rest("GET", f"/smartcampaigns?{query}").json()["elements"]]

    assert names("") == ["a", "c", "b"]
    assert names("direction=ASC") == ["b", "c", "a"]
    assert names("sort=name&direction=ASC") == ["a", "b", "c"]
    assert names("sort=description&direction=ASC") == ["b", "c", "a"]  # all alike: by their id
    assert names("offset=1&limit=1") == ["c"]
    assert names("status=activationRequired") == ["a", "c", "b"]
    assert names("status=running") == []


def test_smart_campaigns_and_mailings_are_limited(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.clients.campaign_commands.SMART_CAMPAIGNS_MAX", 2)
    number = server.rest("POST", "/smartcampaigns").json()["id"]
    made = [server.rest("POST", "/smartcampaigns") for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 400]
    assert "which is the limit" in made[-1].json()["errorMessage"]
    mailings = [server.rest("POST", f"/smartcampaigns/{number}/messages").status_code for _ in range(3)]
    assert mailings == [201, 201, 400]
    assert server.rest("POST", "/smartcampaigns", client=OTHER_CLIENT).status_code == 201


def test_no_response_contains_a_secret(server: Server, httpserver: HTTPServer) -> None:
    def echo(request: Any) -> Any:
        from werkzeug import Response

        return Response(str(request.headers), 500, {"X-Echo": request.headers["Authorization"]})

    httpserver.expect_request("/hook").respond_with_handler(echo)
    authentication = '{"type":"keyAuth","key":"Authorization","passphrase":"Bearer t0p-s3cret"}'
    number = server.activated(httpserver.url_for("/hook"), authentication=authentication)
    server.control("POST", "/emit", {"type": "open"})
    server.advance("20s")
    answers = [
        server.rest("GET", "/webhooks"),
        server.rest("GET", f"/webhooks/{number}/verify?mailingId={SAMPLE_MAILING_ID}"),
        server.rest("POST", "/webhooks", {**FORM, "authentication": '{"type":"keyAuth","passphrase":"t0p-s3cret"}'}),
        server.control("GET", "/state"),
        server.control("GET", "/journal"),
    ]
    positions = [
        entry["position"] for entry in answers[-1].json()["entries"] if entry["entry"] in ("attempted", "verified")
    ]
    answers += [server.control("GET", f"/deliveries/{position}") for position in positions]
    assert len(positions) == 2
    assert answers[-1].status_code == 404  # a verification is not a delivery
    assert any("***" in answer.text for answer in answers)
    for answer in answers:
        assert "t0p-s3cret" not in answer.text + str(answer.headers)
        assert PASSWORD not in answer.text + str(answer.headers)
