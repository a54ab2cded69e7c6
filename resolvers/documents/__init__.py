"""Documents: kept, described, scanned, downloaded by their owner, and swept."""
