"""The server as one ASGI application: both APIs, their description, and the pages."""

from __future__ import annotations

import contextlib
import mimetypes
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from mockcampaign.server import control, rest
from mockcampaign.server.guard import Guard
from mockcampaign.server.served import ServedCampaign
from mockcampaign.shipped import assets_folder

PAGES = Path(__file__).parent / "pages"

# A Windows registry may say otherwise, and browsers run no module of another type.
mimetypes.add_type("text/javascript", ".js")


def server_app(served: ServedCampaign, *, host_names: Iterable[str] = ()) -> Starlette:
    """Serve a campaign, whose time passes while the application's lifespan is open."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with served.running():
            yield

    description: list[bytes] = []

    async def openapi(request: Request) -> Response:
        # Made when somebody asks: most runs never do.
        if not description:
            from mockcampaign.server.openapi import document

            description.append(document((rest.API, control.API), served.accounts.client_ids[0]))
        return Response(description[0], media_type="application/json")

    return Starlette(
        routes=[
            *rest.API.routes(served),
            Route("/", _page("live.html")),
            Route("/docs", _page("docs.html")),
            Route("/openapi.json", openapi),
            Mount(f"{control.PREFIX}/pages/vendor/uplot", StaticFiles(directory=assets_folder() / "uplot")),
            Mount(f"{control.PREFIX}/pages", StaticFiles(directory=PAGES)),
            *control.API.routes(served),
        ],
        middleware=[Middleware(Guard, host_names=host_names)],
        lifespan=lifespan,
    )


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        return FileResponse(PAGES / name)

    return page
