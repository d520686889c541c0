"""What acts: one runner, and the processes it runs."""
