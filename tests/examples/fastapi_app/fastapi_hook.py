"""A FastAPI consumer whose store lives as long as the application."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.processed = []
    app.state.times = Counter()
    yield


def create_app() -> FastAPI:
    app = FastAPI(lifespan=lifespan)

    @app.post("/hook")
    async def hook(events: list[dict[str, Any]], request: Request) -> dict[str, int]:
        state, times_in_list = request.app.state, Counter[str]()
        for event in events:
            key = json.dumps(event, sort_keys=True)
            times_in_list[key] += 1
            if times_in_list[key] > state.times[key]:
                state.times[key] += 1
                state.processed.append(event)
        return {"received": len(events)}

    @app.get("/processed")
    async def processed(request: Request) -> list[dict[str, Any]]:
        stored: list[dict[str, Any]] = request.app.state.processed
        return stored

    return app
