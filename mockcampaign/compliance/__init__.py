"""Judging: what the journal says about the consumer. It sees no sender, no socket and no clock."""
