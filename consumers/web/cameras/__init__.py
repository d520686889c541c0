"""Cameras as operators see and change them."""
