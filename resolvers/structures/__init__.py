"""Structures: created, adopted, edited, corrected, searched and read; their services and exported lists."""
