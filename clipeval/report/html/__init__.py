"""One self-contained page of results, which opens from disk without a network."""
