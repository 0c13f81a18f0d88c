"""Claims: named, sourced statements about evaluations, each with a check that returns a verdict."""
