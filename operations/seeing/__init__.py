"""Seeing inside a process: its metrics, whether it is ready, and where both are read. Every process may import it."""
