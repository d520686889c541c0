"""Learning from officers: their corrections, as a file that the trainer reads."""
