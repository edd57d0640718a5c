"""Checks and runs in the background, beside the server's event loop."""
