"""Violations as annotations of files, for the services that show them beside the code."""
