"""What the tests of resolvers share: people, structures, answers and oracles."""
