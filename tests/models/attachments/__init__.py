"""Tests of the rules of attachments."""
