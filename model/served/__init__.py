"""HumanVLM behind a model server: the same calls as `model.humanvlm`, answered over HTTP."""
