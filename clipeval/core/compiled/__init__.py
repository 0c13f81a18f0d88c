"""The same counts and sums as numpy's, compiled by numba: optional, faster, equal to the last bit."""
