"""Tests of what accounts hold."""
