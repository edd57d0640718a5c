"""A check or run that is ready to start, and the rule for where it may send."""

from __future__ import annotations

from typing import NamedTuple

from mockcampaign.errors import InvalidInputError
from mockcampaign.server.background.verdict_jobs import Work
from mockcampaign.transport.targets import AllowedTargets


class PreparedJob(NamedTuple):
    """A check or run that can be started, since everything about it is valid."""

    target: str
    seed: int | None
    total: int
    work: Work


def check_target(targets: AllowedTargets | None, field: str, url: str) -> None:
    """Raise `InvalidInputError`, which begins with the name of the field, if deliveries may not go to the URL."""
    if targets is not None:
        try:
            targets.check(url)
        except InvalidInputError as error:
            raise InvalidInputError(f"{field}: {error}") from None
