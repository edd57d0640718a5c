"""The packages that only some doors need, and the extra of mockcampaign that brings each of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mockcampaign.errors import MockcampaignError

EXTRAS = {
    "hypothesis": "check",
    "sqlalchemy": "sql",
    "starlette": "server",
    "uvicorn": "server",
    "trustme": "tls",
    "watchfiles": "watch",
}
"""The extra that brings each package, by the name under which it is imported."""

ALL = "all"
"""The extra that brings whatever a command may need."""


class MissingExtraError(MockcampaignError):
    """A package is not installed that only some commands and fixtures need; the text says how to install it."""


@contextlib.contextmanager
def naming_extras() -> Iterator[None]:
    """Name the extra when an import fails because a package of `EXTRAS` is not installed.

    Raises `MissingExtraError`.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        install = [f"pip install 'mockcampaign[{extra}]'" for extra in (EXTRAS[package], ALL)]
        raise MissingExtraError(
            f"this needs the package {package}, which is not installed: {install[0]}, or {install[1]} for everything"
        ) from None
