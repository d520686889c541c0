"""The two layouts a HumanVLM checkpoint may have: our own compact one, and LLaVA's as transformers reads it."""
