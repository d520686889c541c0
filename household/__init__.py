"""All processes of one installation seen together. The only package that knows all others, and that none knows."""
