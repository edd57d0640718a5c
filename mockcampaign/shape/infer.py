"""Inferring the shape of captured events."""
