"""Zero-shot classification: pictures sorted into classes that are known by name only."""
