"""Documents and their uploads."""
