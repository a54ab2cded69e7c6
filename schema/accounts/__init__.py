"""Accounts, sessions, deactivation and people."""
