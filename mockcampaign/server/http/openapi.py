"""The OpenAPI document, made from the tables of operations that the server itself works by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import EnumType
from typing import Any

import msgspec

from mockcampaign import __version__
from mockcampaign.server.http.operation import Api, Operation
from mockcampaign.server.http.request import FORM, JSON
from mockcampaign.server.http.request_fields import attribute_fields, custom_schema, plain_type, struct_fields

_REF = "#/components/schemas/{name}"

_ABOUT = """A scriptable test double of the webhook exporter of Optimizely (Episerver) Campaign.

Webhooks, users and smart campaigns respond as the vendor's REST API does, with the titles of the vendor's guide.
*Control* is the double's own. To call the REST API from here, press **Authorize** and enter the user name and the
password that the server was started with, by default `mockcampaign` for both."""

_TOKEN_ABOUT = " Operations of *Control* need the token that the server printed at its start; enter it there, too."

Schema = dict[str, Any]


class Examples(msgspec.Struct, frozen=True, kw_only=True):
    """Values with which calls can succeed."""

    fields: Mapping[str, object] = {}
    """Values of required fields in paths, queries and forms, by name."""
    of_operations: Mapping[str, Mapping[str, object]] = {}
    """Values of fields of single operations, which precede the others, by the operation's name."""
    bodies: Mapping[str, object] = {}
    """JSON bodies by the operation's name."""

    def of(self, operation_id: str, name: str, *, required: bool) -> object:
        """Return the value of a field; None if it is better left out."""
        own = self.of_operations.get(operation_id, {})
        return own[name] if name in own else self.fields.get(name) if required else None


NO_EXAMPLES = Examples()


class _Schemas:
    """JSON Schemas of all types that the document refers to."""

    def __init__(self, types: Sequence[Any]) -> None:
        schemas, self.components = msgspec.json.schema_components(types, schema_hook=custom_schema, ref_template=_REF)
        self._of_type = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}

    def __getitem__(self, kind: Any) -> Schema:
        found: Schema = self._of_type[id(kind)]
        return found

    def without(self, kind: Any, names: Sequence[str]) -> Schema:
        """Return the schema of a body, whose type has fields of the path as well."""
        if not names:
            return self[kind]
        whole: Schema = self.components.pop(kind.__name__)
        properties = {name: schema for name, schema in whole["properties"].items() if name not in names}
        return whole | {
            "properties": properties,
            "required": [name for name in whole.get("required", ()) if name not in names],
        }


def document(
    apis: Sequence[Api], client_id: int, examples: Examples = NO_EXAMPLES, *, needs_token: bool = False
) -> bytes:
    """Return the OpenAPI 3.1 document as JSON. `client_id` is the default for a client's id.

    `needs_token` says that operations without users need the server's token.
    """
    schemas = _Schemas([kind for api in apis for kind in _types(api)])
    paths: dict[str, Schema] = {}
    about = _ABOUT + (_TOKEN_ABOUT if needs_token else "")
    for api in apis:
        for operation in api.operations:
            described = _operation(api, operation, schemas, client_id, examples)
            if needs_token and not api.secured:
                described["security"] = [{"token": []}]
            paths.setdefault(api.prefix + operation.path, {})[operation.method.lower()] = described
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "mockcampaign", "version": __version__, "description": about},
            "tags": [{"name": tag} for tag in dict.fromkeys(o.tag for api in apis for o in api.operations)],
            "paths": paths,
            "components": {
                "schemas": schemas.components,
                "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}}
                | ({"token": {"type": "http", "scheme": "bearer"}} if needs_token else {}),
            },
        }
    )


def _types(api: Api) -> Iterator[Any]:
    yield api.error
    for operation in api.operations:
        if operation.response is not None:
            yield operation.response
        if operation.place(api) == "json":
            yield operation.fields


def _operation(api: Api, operation: Operation[Any], schemas: _Schemas, client_id: int, examples: Examples) -> Schema:
    place = operation.place(api)
    in_path = operation.in_path(api)
    fields = {} if place == "json" and not in_path else _fields(operation)
    others = {name: schema for name, schema in fields.items() if name not in in_path}
    required = {field.encode_name for field in struct_fields(operation.fields) if field.required}
    parameters = [_parameter("path", name, fields[name], True) for name in in_path]
    if place == "query":
        parameters += [_parameter("query", name, schema, name in required) for name, schema in others.items()]
    for parameter in parameters:
        if parameter["name"] == "clientId" and parameter["in"] == "path":
            parameter["schema"]["default"] = client_id
            continue
        example = examples.of(operation.id, parameter["name"], required=parameter["required"])
        if example is not None:
            parameter["example"] = example
    described: Schema = {
        "operationId": operation.id,
        "summary": operation.title,
        "tags": [operation.tag],
        "parameters": parameters,
        "responses": _responses(api, operation, schemas, has_fields=bool(parameters)),
    }
    if operation.description:
        described["description"] = operation.description
    if api.secured:
        described["security"] = [{"basic": []}]
    if place == "form":
        form = _form(others, [name for name in others if name in required], attribute_fields(operation.fields))
        for name, schema in form["properties"].items():
            example = examples.of(operation.id, name, required=name in form["required"])
            if example is not None:
                schema["example"] = example
        described["requestBody"] = {"required": bool(form["required"]), "content": {FORM: {"schema": form}}}
    elif place == "json":
        body = schemas.without(operation.fields, in_path)
        content: Schema = {"schema": body}
        if operation.id in examples.bodies:
            content["example"] = examples.bodies[operation.id]
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    return described


def _responses(api: Api, operation: Operation[Any], schemas: _Schemas, *, has_fields: bool) -> Schema:
    success: Schema = {"description": operation.success_description}
    if operation.response is not None:
        success["content"] = {name: {"schema": schemas[operation.response]} for name in api.media_types}
    if operation.media_type is not None:
        success["content"] = {operation.media_type: {"schema": {"type": "string"}}}
    links = _links(api, operation)
    if links:
        success["links"] = links
    has_body = operation.place(api) in ("form", "json")
    impossible = set() if has_body else {413, 415}
    if not has_fields and not has_body:
        impossible.add(400)
    failures = {status: text for status, text in api.failures.items() if status not in impossible}
    error = {name: {"schema": schemas[api.error]} for name in api.media_types}
    others = {str(status): success | {"description": text} for status, text in operation.other_successes.items()}
    return (
        {str(operation.success): success}
        | others
        | {
            str(status): {"description": text, "content": error}
            for status, text in sorted((failures | dict(operation.failures)).items())
        }
    )


def _fields(operation: Operation[Any]) -> dict[str, Schema]:
    """Return the schema of each field of a path, query or form, without references."""
    _, components = msgspec.json.schema_components([operation.fields], schema_hook=custom_schema)
    properties: dict[str, Schema] = components[operation.fields.__name__]["properties"]
    kinds = {field.encode_name: plain_type(field.type) for field in struct_fields(operation.fields)}
    return {name: _as_text(schema, kinds[name]) for name, schema in properties.items()}


def _as_text(schema: Schema, kind: Any) -> Schema:
    """Return the schema of a field that is sent as text: there is no null, and an optional field is left out."""
    found = dict(schema)
    if "anyOf" in found:
        found |= next(one for one in found.pop("anyOf") if one != {"type": "null"})
    if isinstance(kind, EnumType):
        # In its own order, and here rather than by reference.
        del found["$ref"]
        found = {"type": "string", "enum": list(kind)} | found
    if found.get("default", ...) is None:
        del found["default"]
    return found


def _parameter(place: str, name: str, schema: Schema, required: bool) -> Schema:
    description = schema.pop("description")
    return {"name": name, "in": place, "required": required, "description": description, "schema": schema}


def _form(fields: dict[str, Schema], required: list[str], attributes: list[str]) -> Schema:
    patterns = {f"^{name}\\..+": {"type": "string"} for name in attributes}
    fields = {name: schema for name, schema in fields.items() if name not in attributes}
    for name, schema in fields.items():
        if name not in required and "default" not in schema:
            schema["example"] = ""  # otherwise Swagger UI fills in the word "string"
        elif name in required and schema.get("type") == "string" and "enum" not in schema:
            schema["minLength"] = 1  # an empty field counts as missing
    described = {"type": "object", "properties": fields, "required": required}
    return described | ({"patternProperties": patterns} if patterns else {})


_PRODUCED: dict[str, dict[str, str]] = {
    "createWebhook": {"webhookId": "id", "type": "type"},
    "selectWebhooks": {"webhookId": "0/id", "type": "0/type"},
    "createOrCopySmartCampaign": {"campaignId": "id", "sourceCampaignId": "id"},
    "selectSmartCampaigns": {"campaignId": "elements/0/id"},
    "createCampaignMessage": {"mailingId": "mailingId"},
    "selectRecipientLists": {"recipientListId": "elements/0/id", "recipientListIds": "elements/0/id"},
    "selectOptinProcesses": {"optinProcessId": "elements/0/id"},
    "addRecipient": {"recipientId": "id", "recipientIds": "id"},
    "selectRecipients": {"recipientId": "elements/0/id", "recipientIds": "elements/0/id"},
    "createTransactionalMailing": {"transactionalMailId": "id"},
    "selectTransactionalCampaigns": {"transactionalMailId": "elements/0/id"},
    "getTransactionalMailing": {"transactionalMailId": "id", "recipientListId": "recipientLists/recipientListIds/0"},
    "sendTransactionalMailing": {"mailId": "mailId", "mailIds": "mailId"},
    "getDetailedMailIdInformationByEncodedId": {"recipientId": "recipientId", "recipientListId": "recipientListId"},
    "createUnsubscribes": {"recipientIds": "successfulIds/0"},
    "createBlacklistEntry": {"entry": "pattern", "address": "pattern"},
    "findAllBlacklistEntries": {"entry": "elements/0/pattern"},
    "declareFault": {"number": "number"},
}
"""Fields that requests of other operations need, and their place in a response, by the operation that responds.

The first field of an operation that creates something is the id of that."""

_PASSED_ON = frozenset({"type"})
"""Fields that are no reason for a link, but that a link passes on."""


def _links(api: Api, operation: Operation[Any]) -> Schema:
    produced = _PRODUCED.get(operation.id)
    if produced is None:
        return {}
    values = {name: f"$request.path.{name}" for name in operation.in_path(api)}
    values |= {name: f"$response.body#/{field}" for name, field in produced.items()}
    links = {}
    for follower in api.operations:
        in_path = follower.in_path(api)
        wanted = {*in_path, *(field.encode_name for field in struct_fields(follower.fields))}
        # What a call creates, it does not get from elsewhere.
        created = list(_PRODUCED.get(follower.id, ()))[:1] if follower.success == 201 else []
        if follower is operation or wanted.isdisjoint(produced.keys() - _PASSED_ON - set(created)):
            continue
        given = {name: value for name, value in values.items() if name in wanted}
        in_query = follower.place(api) == "query"
        links[follower.id] = link = {
            "operationId": follower.id,
            "parameters": {
                f"{'path' if name in in_path else 'query'}.{name}": value
                for name, value in given.items()
                if name in in_path or in_query
            },
        }
        body = {name: value for name, value in given.items() if name not in in_path and not in_query}
        if body:
            link["requestBody"] = body
    return links
