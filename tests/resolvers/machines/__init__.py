"""Random acts of random people, held against an oracle."""
