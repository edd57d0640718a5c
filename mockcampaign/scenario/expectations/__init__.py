"""Judges expectations by a ledger: once at the end, or at each due moment of a `wait`. Nothing here knows a plan."""
