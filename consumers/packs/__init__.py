"""Question packs: typed questions to start from, chosen by one setting."""
