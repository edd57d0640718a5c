"""HTTP as both APIs speak it: operations, typed fields, the OpenAPI document and who may call."""
