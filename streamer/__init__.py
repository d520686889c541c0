"""What comes in: files and folders become segments on a topic."""
