"""Accounts: signing up and in, profiles, mailed links, leaving and coming back, digests, support's acts."""
