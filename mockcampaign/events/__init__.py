"""Events as recipients cause them: who did what when, as JSON bytes that are encoded once.

Everything comes from a given `random.Random` and given moments: same seed, same bytes. Nothing here knows webhooks.
"""

from __future__ import annotations

from mockcampaign.events.generator import Generator, moments
from mockcampaign.events.sample import Sample, load_sample

__all__ = ["Generator", "Sample", "load_sample", "moments"]
