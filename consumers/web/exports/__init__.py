"""People taken along: their clips, crops and what was said of them, with a report and the digest of every file."""
