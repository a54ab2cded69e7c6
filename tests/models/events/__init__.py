"""Tests of events and what follows them."""
