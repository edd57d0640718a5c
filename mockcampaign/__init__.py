"""A scriptable test double of the webhook exporter of Optimizely (once Episerver) Campaign.

`Campaign` is the way in from Python; `python -m mockcampaign --help` is the way in from a shell.
Nothing heavy is imported until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mockcampaign.campaign import Campaign as Campaign
    from mockcampaign.policy import Policy as Policy

__all__ = ["Campaign", "Policy", "__version__"]

__version__ = "0.1.0"

_HOMES = {"Campaign": "mockcampaign.campaign", "Policy": "mockcampaign.policy"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mockcampaign' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
