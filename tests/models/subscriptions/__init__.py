"""Tests of the rules of space subscriptions."""
