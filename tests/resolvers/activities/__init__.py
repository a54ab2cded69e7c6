"""Tests of activities and API keys."""
