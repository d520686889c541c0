"""Training a HumanVLM in LLaVA's layout: what it reads, how it is spoken to, and what learns."""
