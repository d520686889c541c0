"""What a HumanVLM is worth: every task measured on examples it never saw, through the calls that an analyzer makes."""
