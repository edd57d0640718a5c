"""A consumer in one WSGI function, which stores each event once."""

import json

stored = {}


def application(environ, start_response):
    for event in json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))):
        stored[json.dumps(event, sort_keys=True)] = event
    start_response("200 OK", [])
    return []
