"""Tests of the outbox's rows."""
