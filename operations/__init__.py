"""What keeps it running: child processes and what the terminal shows of them. Knows no process by name."""
