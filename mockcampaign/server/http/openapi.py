"""The OpenAPI document, made from the tables of operations that the server itself works by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mockcampaign import __version__
from mockcampaign.server.http.api import Api
from mockcampaign.server.http.call import FORM, JSON
from mockcampaign.server.http.operations import Operation, Parameter

_REF = "#/components/schemas/{name}"

_ABOUT = """A scriptable test double of the webhook exporter of Optimizely (Episerver) Campaign.

Webhooks, users and smart campaigns answer as the vendor's REST API does, with the titles of the vendor's guide.
*Control* is the double's own. To call the REST API from here, press **Authorize** and give the user name and the
password that the server was started with, which are both `mockcampaign` unless it was told others."""


def document(apis: Sequence[Api], client_id: int) -> bytes:
    """OpenAPI 3.1, as JSON. `client_id` is filled in where a client's id is asked for."""
    types = [
        kind
        for api in apis
        for kind in (
            api.error,
            *(operation.answer for operation in api.operations if operation.answer is not None),
            *(operation.body for operation in api.operations if operation.body is not None),
        )
    ]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    schema_of = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for api in apis:
        for operation in api.operations:
            described = _operation(api, operation, schema_of, client_id)
            paths.setdefault(api.prefix + operation.path, {})[operation.method.lower()] = described
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "mockcampaign",
                "version": __version__,
                "description": _ABOUT,
            },
            "tags": [{"name": tag} for tag in dict.fromkeys(o.tag for api in apis for o in api.operations)],
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            },
        }
    )


def _operation(api: Api, operation: Operation, schema_of: dict[int, Any], client_id: int) -> dict[str, Any]:
    parameters = [*api.parameters, *operation.parameters]
    form = [parameter for parameter in parameters if parameter.place == "form"]
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.title,
        "tags": [operation.tag],
        "parameters": [_parameter(parameter, client_id) for parameter in parameters if parameter.place != "form"],
        "responses": {},
    }
    if operation.description:
        described["description"] = operation.description
    if api.secured:
        described["security"] = [{"basic": []}]
    if form:
        described["requestBody"] = {
            "required": any(parameter.required for parameter in form),
            "content": {FORM: {"schema": _form(form)}},
        }
    elif operation.body is not None:
        body = schema_of[id(operation.body)] if operation.body_schema is None else operation.body_schema()
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
    responses = described["responses"]
    success: dict[str, Any] = {"description": operation.success_description}
    if operation.answer is not None:
        success["content"] = {name: {"schema": schema_of[id(operation.answer)]} for name in api.media_types}
    if operation.media_type is not None:
        success["content"] = {operation.media_type: {"schema": {"type": "string"}}}
    responses[str(operation.success)] = success
    for status, description in sorted(_failures(api, operation, bool(parameters)).items()):
        responses[str(status)] = {
            "description": description,
            "content": {name: {"schema": schema_of[id(api.error)]} for name in api.media_types},
        }
    links = _links(api, operation)
    if links:
        success["links"] = links
    return described


def _failures(api: Api, operation: Operation, has_fields: bool) -> dict[int, str]:
    has_body = operation.body is not None or any(parameter.place == "form" for parameter in operation.parameters)
    without = set() if has_body else {413, 415}
    if not has_fields and not has_body:
        without.add(400)
    return {status: text for status, text in api.failures.items() if status not in without} | dict(operation.failures)


def _parameter(parameter: Parameter, client_id: int) -> dict[str, Any]:
    schema = parameter.kind.schema()
    if parameter.name == "clientId" and parameter.place == "path":
        schema["default"] = client_id
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.description,
        "schema": schema if parameter.default is None else schema | {"default": parameter.default},
    }


def _form(form: list[Parameter]) -> dict[str, Any]:
    properties = {}
    for parameter in form:
        schema = {"description": parameter.description} | parameter.kind.schema()
        if "description" in parameter.kind.schema():
            schema["description"] = f"{parameter.description} {schema['description']}"
        if not parameter.required and parameter.default is None:
            schema["example"] = ""  # otherwise Swagger UI fills in the word "string"
        if parameter.deprecated:
            schema["deprecated"] = True
        properties[parameter.name] = schema if parameter.default is None else schema | {"default": parameter.default}
    return {
        "type": "object",
        "properties": properties,
        "required": [parameter.name for parameter in form if parameter.required],
    }


_LINKED = {
    "createWebhook": ("webhookId", "id"),
    "createOrCopySmartCampaign": ("campaignId", "id"),
    "declareFault": ("number", "number"),
}
"""Operations whose answer names what others take: their parameter, and the answer's field."""


def _links(api: Api, operation: Operation) -> dict[str, Any]:
    if operation.id not in _LINKED:
        return {}
    name, field = _LINKED[operation.id]
    return {
        follower.id: {
            "operationId": follower.id,
            "parameters": {
                **{f"path.{shared.name}": f"$request.path.{shared.name}" for shared in api.parameters},
                f"path.{name}": f"$response.body#/{field}",
            },
        }
        for follower in api.operations
        if any(parameter.name == name and parameter.place == "path" for parameter in follower.parameters)
    }
