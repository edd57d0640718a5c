"""The server as one ASGI application: both APIs, their description, and the pages."""

from __future__ import annotations

import contextlib
import mimetypes
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from mockcampaign.server.control_api import control
from mockcampaign.server.http.api import AnsweredApi
from mockcampaign.server.http.guard import PAGE_HEADERS, Guard, adding
from mockcampaign.server.served_campaign import ServedCampaign
from mockcampaign.server.vendor_api import rest
from mockcampaign.shipped import assets_folder

PAGES = Path(__file__).parent / "pages"
PAGES_PREFIX = f"{control.PREFIX}/pages/"

# A Windows registry may say otherwise, and browsers run no module of another type.
mimetypes.add_type("text/javascript", ".js")


def server_app(served: ServedCampaign, *, host_names: Iterable[str] = ()) -> ASGIApp:
    """Serve a campaign, whose time passes while the application's lifespan is open."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with served.running():
            yield

    description: list[bytes] = []

    async def openapi(request: Request) -> Response:
        # Made when somebody asks: most runs never do.
        if not description:
            from mockcampaign.server.http.openapi import document

            description.append(document((rest.API, control.API), served.users.client_ids[0]))
        return Response(description[0], media_type="application/json")

    pages = Starlette(
        routes=[
            Route("/", _page("live.html")),
            Route("/docs", _page("docs.html")),
            Route("/openapi.json", openapi),
            Mount(f"{PAGES_PREFIX}vendor/uplot", StaticFiles(directory=assets_folder() / "uplot")),
            Mount(PAGES_PREFIX, StaticFiles(directory=PAGES)),
        ],
        lifespan=lifespan,
    )
    return _Entrance(Guard(host_names), [AnsweredApi(api, served) for api in (rest.API, control.API)], pages)


class _Entrance:
    """Turns away who may not come in, and leads the rest to an API or the pages.

    Starlette only serves the pages: its middleware and routes take longer than most operations.
    """

    def __init__(self, guard: Guard, apis: Iterable[AnsweredApi], pages: ASGIApp) -> None:
        self._guard = guard
        self._apis = {api.first_segment: api for api in apis}
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
            return
        path: str = scope["path"]
        segments = path[1:].split("/")
        api = None if path.startswith(PAGES_PREFIX) else self._apis.get(segments[0])
        headers: dict[bytes, bytes] = dict(scope["headers"])
        problem = self._guard.problem(scope["method"], headers, page=api is None)
        if api is not None:
            await api(scope, receive, send, segments, headers, problem)
        elif problem is None:
            await self._pages(scope, receive, adding(PAGE_HEADERS, send))
        else:
            body = msgspec.json.encode({"error": problem})
            refused = Response(body, 403, media_type="application/json")
            await refused(scope, receive, adding(PAGE_HEADERS, send))


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        return FileResponse(PAGES / name)

    return page
