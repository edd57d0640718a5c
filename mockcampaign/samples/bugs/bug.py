"""What a bug is."""

from __future__ import annotations

from dataclasses import dataclass

from mockcampaign.samples.correct import Consumer


@dataclass(frozen=True, slots=True)
class Bug:
    """A mistake that a review could pass."""

    description: str
    consumer: type[Consumer]
    over_sockets: bool = False
    """Whether it shows only where there are connections."""
