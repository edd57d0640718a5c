"""A Django consumer that stores events in its database."""
