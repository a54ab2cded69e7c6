"""What the tests of the schema share."""
