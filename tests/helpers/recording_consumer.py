"""A consumer in a thread that counts every event it accepts, without any framework of ours."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle


class RecordingConsumer:
    """What reached the consumer."""

    def __init__(self) -> None:
        self.url = ""
        self.events: Counter[str] = Counter()
        """How many times each event was accepted, by its whole payload."""
        self.sizes: list[int] = []
        """Numbers of events of the accepted batches."""
        self.rejected = 0
        self.lock = threading.Lock()

    def of_clients(self) -> dict[int, int]:
        """Return how many events of each client were accepted."""
        return Counter(json.loads(event)["clientId"] for event in self.events)


@contextlib.contextmanager
def recording_consumer(statuses: Sequence[int] = (200,), seconds: float = 0) -> Iterator[RecordingConsumer]:
    """Serve on loopback, with these statuses in turn, each after so many seconds."""
    consumer, following = RecordingConsumer(), cycle(statuses)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if seconds:
                time.sleep(seconds)
            with consumer.lock:
                status = next(following)
                if status == 200:
                    consumer.sizes.append(len(events))
                    consumer.events.update(json.dumps(event) for event in events)
                else:
                    consumer.rejected += 1
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        consumer.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield consumer
        finally:
            server.shutdown()
            thread.join()
