"""Asking a consumer what it has stored: by URL or by command."""
