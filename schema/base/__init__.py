"""What every type is made of: fields with their rows, ids, scalars, connections, arguments and payloads."""

from schema.base import enums  # noqa: F401 - described before any type of GraphQL names one of them
