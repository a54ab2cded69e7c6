"""Attachments: the link of a user to a structure, who decides it, and what waits for a decision."""
