"""The plan of a deploy drill: what is deployed when, and under which traffic."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import msgspec

from mockcampaign.check.probes.run_command import parsed
from mockcampaign.durations import format_duration
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import Authentication, BasicAuthentication, KeyAuthentication
from mockcampaign.policy import DAY, HOUR, MINUTE, SECOND

BETWEEN_ROTATIONS = 10 * MINUTE
"""Virtual time from the rotation in one order to that in the other order."""

AFTERWARDS = 5 * MINUTE
"""Virtual time for which traffic goes on after the last deployment, unless the user says otherwise."""

TRAFFIC_MAX = 12 * HOUR
"""Longest virtual time of the traffic, so that its events are neither old nor of the future."""

Order = Literal["consumer-first", "campaign-first"]
"""Which side gets the new credentials first."""

ORDERS: tuple[Order, ...] = ("consumer-first", "campaign-first")


class Restart(msgspec.Struct, frozen=True, kw_only=True):
    """The consumer is restarted by a command."""

    kind: Literal["restart"] = "restart"
    at: int
    """Virtual milliseconds from the beginning of the traffic."""
    command: str


class CredentialRotation(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials are changed at both sides, at the consumer by a command."""

    kind: Literal["rotation"] = "rotation"
    at: int
    """Virtual milliseconds from the beginning of the traffic."""
    command: str
    order: Order
    authentication: Authentication
    """The credentials from then on."""
    to: Literal["new", "old"]

    def variables(self) -> dict[str, str]:
        """Return the environment variables from which the command learns what to change."""
        match self.authentication:
            case (
                BasicAuthentication(user_name=first, password=second) | KeyAuthentication(key=first, passphrase=second)
            ):
                pair = f"{first}:{second}"
            case _:
                pair = ""
        return {"MOCKCAMPAIGN_ROTATE_TO": self.to, "MOCKCAMPAIGN_CREDENTIALS": pair}

    def __repr__(self) -> str:
        return f"CredentialRotation(at={self.at}, order={self.order!r}, to={self.to!r})"


Deployment = Restart | CredentialRotation


class DeployPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of one drill. Durations are in milliseconds, virtual ones unless it is said."""

    deployments: tuple[Deployment, ...]
    """In order of time."""
    duration: int | None = None
    """How long new events occur; None: for a while after the last deployment."""
    every: int = 10 * SECOND
    """Time between two batches of each webhook."""
    batch: int = 5
    """Number of events that occur together."""
    gap: int = 2 * MINUTE
    """Time between the changes of the credentials at one side and at the other."""
    pace: int = 60
    """Virtual seconds that a second of wall time counts for while something is deployed."""
    patience: int = MINUTE
    """Wall time for which a command may run, and then again until the consumer accepts everything."""

    def __post_init__(self) -> None:
        if not self.deployments:
            raise InvalidInputError("nothing to deploy, allowed: --restart-cmd or --rotate-cmd")
        for one in self.deployments:
            parsed(one.command)
        if self.every < SECOND:
            raise InvalidInputError(f"--every {format_duration(self.every)}: too short, allowed: from 1s")
        if self.end > TRAFFIC_MAX:
            raise InvalidInputError(
                f"--at, --for: {format_duration(self.end)} of traffic, allowed: up to {format_duration(TRAFFIC_MAX)}"
            )
        longest = 2 * self.patience * self.pace + self.gap
        if longest > DAY:
            raise InvalidInputError(
                f"--patience and --pace: a deployment could last {format_duration(longest)} of virtual time, allowed: "
                "up to 1d, since events expire after three days"
            )

    @property
    def end(self) -> int:
        """When the last events occur, from the beginning of the traffic."""
        last = self.deployments[-1].at
        return last + AFTERWARDS if self.duration is None else max(self.duration, last)


def restarts(command: str, at: Sequence[int]) -> tuple[Restart, ...]:
    """Return a restart for each moment."""
    return tuple(Restart(at=moment, command=command) for moment in sorted(at))


def rotations(
    command: str, at: Sequence[int], orders: Sequence[Order], old: Authentication, new: Authentication
) -> tuple[CredentialRotation, ...]:
    """Return a rotation in each order for each moment: to the new credentials, back to the old ones, and so on."""
    moments = sorted(
        (moment + number * BETWEEN_ROTATIONS, order) for moment in at for number, order in enumerate(orders)
    )
    sides: tuple[tuple[Literal["new", "old"], Authentication], ...] = (("new", new), ("old", old))
    return tuple(
        CredentialRotation(at=moment, command=command, order=order, to=to, authentication=authentication)
        for (moment, order), (to, authentication) in zip(moments, itertools.cycle(sides), strict=False)
    )
