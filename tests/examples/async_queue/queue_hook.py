"""A consumer that responds at once, and stores events from a queue."""

import asyncio
import json


class Consumer:
    """An ASGI application with its own worker."""

    def __init__(self):
        self.stored = []
        self.queue = None

    async def __call__(self, scope, receive, send):
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

    async def live(self, receive, send):
        await receive()
        self.queue = asyncio.Queue()
        worker = asyncio.create_task(self.work())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        worker.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def work(self):
        while True:
            events = await self.queue.get()
            for event in events:
                await asyncio.sleep(0.0001)  # a database, say
                self.stored.append(event)
