"""A consumer in Python that looks at the clock: `hook.py PORT`; GET /bug/NAME gives it a bug."""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock

DAY = 86_400
KEPT = {"keys-an-hour": 3_600, "keys-a-day": DAY}
bug, lock, seen, stored = "", Lock(), {}, []


def become(name):
    global bug
    bug = name
    seen.clear()
    stored.clear()


def process(events):
    now = time.time()
    with lock:
        for key in [key for key, at in seen.items() if at < now - KEPT.get(bug, 4 * DAY)]:
            del seen[key]
        for event in events:
            key = json.dumps(event, sort_keys=True)
            if key in seen or (bug == "drops-by-clock" and event["created"] < (now - DAY) * 1_000):
                continue
            seen[key] = now
            stored.append(event)


def readings():
    began = time.monotonic()
    Event().wait(0.05)
    time.sleep(0.05)
    return {"wall": time.time(), "monotonic": time.monotonic(), "timer": time.monotonic() - began}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/bug/"):
            become(self.path[5:])
        self.respond(200, readings() if self.path == "/clock" else stored)

    def do_POST(self):
        try:
            events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        except ValueError:
            return self.respond(400, None)
        process(events)
        return self.respond(200, None)

    def respond(self, status, value):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
