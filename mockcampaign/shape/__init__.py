"""The shape of events: which field plays which role, and how its values are read, written and varied.

Shapes come from two sources: `builtin` has one for each event type, and `infer` makes one from captured events.
"""
