"""Training and measuring the person detector."""
