"""What sees: detector, tracker, crops and HumanVLM."""
