"""Rooms: what one sees at one address."""
