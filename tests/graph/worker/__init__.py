"""Tests of the worker, its mails and its jobs."""
