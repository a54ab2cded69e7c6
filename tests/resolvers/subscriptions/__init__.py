"""Tests of space subscriptions and access."""
