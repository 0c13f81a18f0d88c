"""Swap a model, a library or a preprocessing step: red or green, and why."""
