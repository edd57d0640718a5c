"""Carries out the faults that hit a call of the REST API. Which call is hit was decided before."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope

from mockcampaign.faults import ApiCutResponse, ApiError, ApiSlow, ApiTimeout, CallFault, RejectedCall
from mockcampaign.server.http.request import RequestRejectedError
from mockcampaign.serving.client_connection import connection_of

CHALLENGE = {"WWW-Authenticate": 'Basic realm="mockcampaign", charset="UTF-8"'}
"""Header of responses with status 401."""

Ending = RejectedCall | ApiTimeout | ApiCutResponse
"""A fault that decides what the caller gets."""


def ending_of(faults: tuple[CallFault, ...]) -> Ending | None:
    """Return the fault that decides what the caller gets: of several, the one declared last."""
    return next((fault for fault in reversed(faults) if isinstance(fault, Ending)), None)


def pause_of(faults: tuple[CallFault, ...]) -> int:
    """Return for how many milliseconds of wall time the call waits before it is carried out."""
    return max((fault.time for fault in faults if isinstance(fault, ApiSlow)), default=0)


def is_carried_out(ending: Ending | None) -> bool:
    """Return whether the call has its effect."""
    match ending:
        case None | ApiCutResponse():
            return True
        case ApiError(timing=timing) | ApiTimeout(timing=timing):
            return timing == "after-effect"
        case _:
            return False


def is_silent(ending: Ending | None) -> bool:
    """Return whether the caller gets no complete response."""
    return isinstance(ending, ApiTimeout | ApiCutResponse)


def rejection_of(fault: RejectedCall) -> RequestRejectedError:
    """Return the error that a rejected call gets. It says that it is injected, so that nobody looks for its cause."""
    headers = CHALLENGE if fault.status == 401 else None
    return RequestRejectedError(fault.status, f"{fault.reason} (injected fault {fault.kind})", headers=headers)


async def drop(scope: Scope, receive: Receive) -> None:
    """Close the connection, and wait until it has ended: a server would otherwise complete the response."""
    connection = connection_of(scope)
    if connection is not None:
        connection.drop()
        await _disconnected(receive)


async def hold(scope: Scope, receive: Receive, milliseconds: int, closing: asyncio.Event) -> None:
    """Keep the connection open without a response, until the caller or the server ends, and then close it."""
    waits = [asyncio.ensure_future(_disconnected(receive)), asyncio.ensure_future(closing.wait())]
    try:
        await asyncio.wait(waits, timeout=milliseconds / 1_000, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)
    await drop(scope, receive)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
