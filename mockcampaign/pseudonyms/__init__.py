"""Pseudonyms for people in events that really happened: whatever is not known to be harmless is replaced.

Knows nothing of the rest: it gets values from JSON, texts and headers, and returns them in the same format.
"""

from mockcampaign.pseudonyms.persons import Pseudonyms, without_persons
from mockcampaign.pseudonyms.texts import Json, UnreadableError

__all__ = ["Json", "Pseudonyms", "UnreadableError", "without_persons"]
