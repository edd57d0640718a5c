"""Conclusions from the responses of a consumer: what rejects a request, and why."""
