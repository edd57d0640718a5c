"""The server as one ASGI application: both APIs, the OpenAPI document and the pages."""

from __future__ import annotations

import contextlib
import mimetypes
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from mockcampaign.server.http.openapi import Examples

from mockcampaign.server.control_api.api import API as CONTROL_API
from mockcampaign.server.control_api.api import PREFIX
from mockcampaign.server.http.access import HEALTH_PATH, ControlAccess
from mockcampaign.server.http.guard import PAGE_HEADERS, Guard, adding
from mockcampaign.server.http.request import RequestRejectedError
from mockcampaign.server.http.routes import ApiApplication
from mockcampaign.server.served_campaign import ServedCampaign
from mockcampaign.server.vendor_api.api import API as VENDOR_API
from mockcampaign.shipped import assets_folder

APIS = (VENDOR_API, CONTROL_API)
PAGES = Path(__file__).parent / "pages"
PAGES_PREFIX = f"{PREFIX}/pages/"

# The registry of Windows may differ, and browsers run modules of this type only.
mimetypes.add_type("text/javascript", ".js")


def server_app(
    served: ServedCampaign, *, host_names: Iterable[str] = (), access: ControlAccess | None = None
) -> ASGIApp:
    """Return the application that serves a campaign. Time passes while the application's lifespan is open.

    Without `access`, everybody may control it.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with served.running():
            yield

    served.operations.update({operation.id: operation.tag for operation in VENDOR_API.operations})
    description: list[tuple[Examples, bytes]] = []
    needs_token = access is not None and access.needs_token

    async def openapi(request: Request) -> Response:
        # Made when somebody asks, as most runs never need it, and again when other examples exist.
        from mockcampaign.server.examples import examples
        from mockcampaign.server.http.openapi import document

        now = examples(served)
        if not description or description[0][0] != now:
            content = document(APIS, served.users.client_ids[0], now, needs_token=needs_token)
            description[:] = [(now, content)]
        return Response(description[0][1], media_type="application/json")

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
    return _Entrance(
        Guard(host_names),
        access or ControlAccess(None),
        {_first_segment(api.prefix): ApiApplication(api, served) for api in APIS},
        pages,
    )


class _Entrance:
    """Rejects requests that the guard or the control access does not accept.

    It passes the others to an API or to Starlette's pages.
    """

    def __init__(self, guard: Guard, access: ControlAccess, apis: Mapping[str, ApiApplication], pages: ASGIApp) -> None:
        """`apis` has the APIs by the first segment of their paths."""
        self._guard = guard
        self._access = access
        self._apis = apis
        self._control = apis[_first_segment(PREFIX)]
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
            return
        path = _path(scope)
        api = None if path.startswith(PAGES_PREFIX) else self._apis.get(_first_segment(path))
        headers: dict[bytes, bytes] = dict(scope["headers"])
        problem = self._guard.problem(scope["method"], headers, page=api is None)
        rejection = None if problem is None else RequestRejectedError(403, problem)
        if rejection is None and (path == "/" or (api is self._control and path != f"{PREFIX}{HEALTH_PATH}")):
            rejection = self._access.problem(headers)
        if api is not None:
            if rejection is None:
                await api(scope, receive, send, path, headers)
            else:
                await api.reject(scope, receive, send, path, headers, rejection)
        elif rejection is None:
            await self._pages(scope, receive, adding(PAGE_HEADERS, send))
        else:
            body = msgspec.json.encode({"error": rejection.message})
            response = Response(body, rejection.status, rejection.headers, media_type="application/json")
            await response(scope, receive, adding(PAGE_HEADERS, send))


def _path(scope: Scope) -> str:
    """Return the path with its segments decoded, but for slashes and percent signs within a segment."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%" not in raw:
        path: str = scope["path"]
        return path
    segments = raw.decode("latin-1").split("/")
    return "/".join(unquote(segment).replace("%", "%25").replace("/", "%2F") for segment in segments)


def _first_segment(path: str) -> str:
    return path[1:].partition("/")[0]


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        return FileResponse(PAGES / name)

    return page
