"""Notifying: what the desk owes to channels, delivered at least once and never in the stream's way."""
