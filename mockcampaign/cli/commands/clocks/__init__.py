"""Commands that lead the clock of a consumer in a process of its own."""
