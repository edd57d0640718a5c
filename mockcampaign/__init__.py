"""A scriptable test double of the webhook exporter of Optimizely (once Episerver) Campaign.

`campaign` is the way in from tests and scripts, and `Campaign` the engine behind it; `python -m mockcampaign --help` is
the way in from a shell. Nothing heavy is imported until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mockcampaign.campaign import Campaign as Campaign
    from mockcampaign.double.standalone import campaign as campaign
    from mockcampaign.policy import Policy as Policy

__all__ = ["Campaign", "Policy", "__version__", "campaign"]

__version__ = "0.2.0"

_HOMES = {
    "Campaign": ("mockcampaign.campaign", "Campaign"),
    "Policy": ("mockcampaign.policy", "Policy"),
    "campaign": ("mockcampaign.double.standalone", "campaign"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mockcampaign' has no attribute {name!r}")
    from importlib import import_module

    home, attribute = _HOMES[name]
    return getattr(import_module(home), attribute)
