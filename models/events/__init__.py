"""Events: every change as one fact, the sentence that tells it, and the order in which live streams read it."""
