"""How to see a violation again: commands for a shell, and a scenario file."""
