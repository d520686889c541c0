"""Evidence: copies of what an alert is about, which outlive the footage and can be proven whole."""
