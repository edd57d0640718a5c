"""A consumer that responds at once, and stores events from a queue."""

import asyncio
import json
from typing import Any


class Consumer:
    """An ASGI application with its own worker."""

    queue: asyncio.Queue[list[dict[str, Any]]]

    def __init__(self) -> None:
        self.stored: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.queue.put_nowait(json.loads(body))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def live(self, receive: Any, send: Any) -> None:
        await receive()
        self.queue = asyncio.Queue()
        worker = asyncio.create_task(self.work())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        worker.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def work(self) -> None:
        while True:
            events = await self.queue.get()
            for event in events:
                await asyncio.sleep(0.0001)  # a database, say
                self.stored.append(event)
