"""Spaces, space subscriptions and access."""
