"""Decode, sample, detect, track, look: one segment becomes one manifest."""
