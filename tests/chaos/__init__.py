"""Crewsight under faults: real processes, a seeded schedule of what breaks, and a checker that counts afterwards."""
