"""Alerts as officers see them: the list, one in full, what can be done, what a shift was like."""
