"""Manifests become person rows and vectors, and searches are answered."""
