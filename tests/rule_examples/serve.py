"""Serve all Python examples of the rules' pages from one process: `python serve.py FILE`, with the examples as JSON.

Stands for the HTTP server and the database of a real consumer. Prints its port.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Row = dict[str, Any]


class Rejected(Exception):  # noqa: N818 (short, as examples use it)
    """Ends a request with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class DatabaseError(Exception):
    """Says that the database cannot be reached."""


class Database:
    """A table with a unique key, which survives restarts, and one of states."""

    def __init__(self) -> None:
        self._rows: dict[object, Row] = {}
        self._lock = threading.RLock()
        self._numbers = itertools.count()
        self._own = threading.local()
        self._locks: dict[object, threading.Lock] = {}
        self.state: dict[str, Row] = {}
        self.is_broken = False

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Store all that is inserted meanwhile, or nothing of it if an exception is raised."""
        self._own.pending = {}
        try:
            yield
            self._commit(self._own.pending)
        finally:
            del self._own.pending

    def insert(self, key: object, row: Row) -> None:
        """Store the row unless there is one with this key, as INSERT … ON CONFLICT DO NOTHING."""
        pending = getattr(self._own, "pending", None)
        if pending is None:
            self._commit({key: row})
        else:
            pending.setdefault(key, row)

    def append(self, row: Row) -> None:
        """Store the row, as INSERT into a table without a unique key."""
        self.insert(next(self._numbers), row)

    def has(self, key: object) -> bool:
        """Return whether there is a row with this key."""
        return key in self._rows or key in getattr(self._own, "pending", ())

    def lock(self, name: object) -> None:
        """Lock a row until the request ends. Raises DatabaseError if that takes too long, as in a deadlock."""
        held = self._own.__dict__.setdefault("held", {})
        if name not in held:
            lock = self._locks.setdefault(name, threading.Lock())
            if not lock.acquire(timeout=0.5):
                raise DatabaseError("deadlock detected")
            held[name] = lock

    def unlock(self) -> None:
        """Release the rows that this request has locked."""
        for lock in self._own.__dict__.pop("held", {}).values():
            lock.release()

    def rows(self) -> list[Row]:
        """Return all rows."""
        with self._lock:
            return list(self._rows.values())

    def _commit(self, rows: dict[object, Row]) -> None:
        with self._lock:
            if self.is_broken:
                raise DatabaseError
            for key, row in rows.items():
                self._rows.setdefault(key, row)


class Body:
    """The body of a request, however it is framed."""

    def __init__(self, file: Any, headers: dict[str, str]) -> None:
        self._file = file
        self._is_chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        self._left = 0 if self._is_chunked else int(headers.get("content-length", 0))

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes, or all. Raises ConnectionError if the body is cut off."""
        found = bytearray()
        while size < 0 or len(found) < size:
            piece = self.read_some(64 * 1024 if size < 0 else size - len(found))
            if not piece:
                break
            found += piece
        return bytes(found)

    def read_some(self, size: int = 64 * 1024) -> bytes:
        """Read what has arrived, at most so many bytes; nothing at the end."""
        if self._left == 0 and self._is_chunked:
            self._left = int(self._file.readline().split(b";")[0] or b"0", 16)
            if self._left == 0:
                self._is_chunked = False
                while self._file.readline().strip():
                    pass
        if self._left == 0:
            return b""
        piece: bytes = self._file.read1(min(size, self._left))
        if not piece:
            raise ConnectionError
        self._left -= len(piece)
        if self._left == 0 and self._is_chunked:
            self._file.readline()
        return piece


class Request:
    """A request as the frame sees it."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self.method = handler.command
        self.raw_headers = dict(handler.headers.items())
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = Body(handler.rfile, self.headers)
        self.client = handler.client_address


class Example:
    """The frame with one example, and its database."""

    def __init__(self, source: str) -> None:
        self._code = compile(source, "example", "exec")
        self._db = Database()
        self._is_down = False
        self._start()

    def restart(self) -> None:
        """Drop a request that arrives meanwhile, if there is one, and lose what is in memory."""
        self._dropped = threading.Event()
        self._is_down = True
        self._dropped.wait(1)
        self._start()
        self._is_down = False

    def _start(self) -> None:
        self._parts: dict[str, Any] = {"db": self._db, "Rejected": Rejected, "DatabaseError": DatabaseError}
        exec(self._code, self._parts)

    def call(self, path: str, request: Request) -> tuple[int, Any]:
        """Return status and body of the response."""
        match path:
            case "hook" if self._is_down:
                self._dropped.set()
                raise ConnectionError
            case "hook":
                try:
                    return self._parts["handle"](request), ""
                finally:
                    self._db.unlock()
            case "processed":
                return 200, self._parts["processed"]()
            case "state":
                return 200, self._db.state
            case "restart":
                self.restart()
            case "break" | "restore":
                self._db.is_broken = path == "break"
            case _:
                return 404, ""
        return 200, ""


def serve(sources: dict[str, str]) -> None:
    """Serve the examples, each below its own path."""
    examples = {path: Example(source) for path, source in sources.items()}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, ValueError):
                self.close_connection = True

        def respond(self) -> None:
            example, _, path = self.path[1:].rpartition("/")
            request = Request(self)
            try:
                status, body = examples[example].call(path, request)
            except Exception:
                self.close_connection = True
                return
            request.body.read()
            content = json.dumps(body).encode() if body != "" else b""
            head = f"HTTP/1.1 {status} -\r\nContent-Length: {len(content)}\r\n\r\n"
            self.wfile.write(head.encode() + (b"" if self.command == "HEAD" else content))

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = respond  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        serve(json.load(file))
