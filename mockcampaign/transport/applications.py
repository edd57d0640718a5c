"""Distinguishes ASGI applications from WSGI applications, and calls either."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mockcampaign.transport.inprocess import AsgiTransport

ApplicationKind = Literal["asgi", "wsgi"]


def application_kind(app: Any) -> ApplicationKind:
    """Return what a callable most likely is: a coroutine function, or one with three arguments, is ASGI."""
    return "asgi" if is_async(app) or positional_arguments(app) == 3 else "wsgi"


def transport_to(app: Any) -> AsgiTransport:
    """Return a transport that calls the application."""
    from mockcampaign.transport.inprocess import AsgiTransport, WsgiTransport

    return AsgiTransport(app) if application_kind(app) == "asgi" else WsgiTransport(app)


def is_async(app: Any) -> bool:
    """Whether a call returns a coroutine, as far as that can be seen without a call."""
    call = app if inspect.isroutine(app) else getattr(app, "__call__", app)  # noqa: B004
    return inspect.iscoroutinefunction(inspect.unwrap(app)) or inspect.iscoroutinefunction(inspect.unwrap(call))


def positional_arguments(app: Any) -> int | None:
    """Return the number of required positional arguments, or None if it is unknown."""
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in positional and parameter.default is parameter.empty for parameter in parameters)
