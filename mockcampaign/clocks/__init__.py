"""Consumers in processes of their own that follow virtual time, by a file that says how far their clock is off."""
