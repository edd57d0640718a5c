"""Sample consumers: one that does everything right, and one for each of many realistic mistakes."""
