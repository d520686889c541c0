"""Finding people: what can be asked, saved searches, and guards."""
