"""A result beside an earlier one: what changed, and what is accepted."""
