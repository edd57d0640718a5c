"""The HTTP that both APIs share: operations, typed fields, routes, the OpenAPI document and the guard."""
