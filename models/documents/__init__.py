"""Documents: the files that people keep, what they may contain and how they are named."""
