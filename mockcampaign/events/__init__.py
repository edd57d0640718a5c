"""Events as recipients cause them: who did what when, as JSON bytes that are encoded once.

Everything comes from a given seed and given moments: same seed, same bytes. Nothing here knows webhooks.
"""

from __future__ import annotations

from mockcampaign.events.fields import event_schema
from mockcampaign.events.generator import Generator
from mockcampaign.events.mailing import Mailing, Occurrence
from mockcampaign.events.people import AUDIENCE_MAX, Actor, RecipientIds
from mockcampaign.events.rates import DEFAULT_RATES, Rates
from mockcampaign.events.sample import Sample, load_sample, read_sample

__all__ = [
    "AUDIENCE_MAX",
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
    "read_sample",
]
