"""Structures and their services."""
