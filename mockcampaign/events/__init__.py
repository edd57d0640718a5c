"""Events as recipients cause them: who did what when, as JSON bytes that are encoded once.

Everything comes from a given seed and given moments: same seed, same bytes. Nothing here knows webhooks.
"""

from __future__ import annotations

from mockcampaign.events.fields import event_schema
from mockcampaign.events.generator import Generator
from mockcampaign.events.mailing import DEFAULT_RATES, Mailing, Occurrence, Rates
from mockcampaign.events.people import Actor, RecipientIds
from mockcampaign.events.sample import Sample, load_sample

__all__ = [
    "DEFAULT_RATES",
    "Actor",
    "Generator",
    "Mailing",
    "Occurrence",
    "Rates",
    "RecipientIds",
    "Sample",
    "event_schema",
    "load_sample",
]
