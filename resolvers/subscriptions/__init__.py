"""Space subscriptions: requested, decided, given, brought by attachments; the spaces of a structure, and access."""
