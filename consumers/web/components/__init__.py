"""Pieces that rooms are made of."""
