"""Events that recipients cause: opens, clicks, bounces and so on, as JSON bytes that are encoded once.

Everything follows from a given seed and given times: the same seed makes the same bytes. Nothing here knows webhooks.
"""

from __future__ import annotations

from mockcampaign.events.generator import Generator
from mockcampaign.events.mailing import Mailing, MailingEvent
from mockcampaign.events.people import AUDIENCE_MAX, Actor, RecipientIds
from mockcampaign.events.rates import DEFAULT_RATES, Rates
from mockcampaign.events.sample import Sample, load_sample, read_sample
from mockcampaign.shape.builtin import event_schema

__all__ = [
    "AUDIENCE_MAX",
    "DEFAULT_RATES",
    "Actor",
    "Generator",
    "Mailing",
    "MailingEvent",
    "Rates",
    "RecipientIds",
    "Sample",
    "event_schema",
    "load_sample",
    "read_sample",
]
