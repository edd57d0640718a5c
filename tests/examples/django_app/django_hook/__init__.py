"""A consumer in Django that keeps events in its database."""
