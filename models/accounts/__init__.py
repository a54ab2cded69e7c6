"""Accounts: the person's row, what lets the person in, and what the person says of themselves."""
