"""The alert desk's core: rules, deciding over what was seen, the desk database, trying rules on stored footage."""
