"""Tests of files behind signed addresses."""
