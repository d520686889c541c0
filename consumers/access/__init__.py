"""Who may use the desk: users, roles, sessions, tokens, and the log of what they did."""
