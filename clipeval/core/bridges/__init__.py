"""Bridges between two towers that are learned from pairs: fit on a training split, scored on others."""
