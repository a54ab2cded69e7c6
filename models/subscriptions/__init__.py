"""Space subscriptions: the spaces, the right of an attached person to use one, and access."""
