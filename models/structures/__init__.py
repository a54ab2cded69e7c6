"""Structures: legal entities, their identifiers, services, the public directory and exported lists."""
