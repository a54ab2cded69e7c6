"""Tests of what documents may be."""
