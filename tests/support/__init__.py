"""What all tests share: people and structures made in a line, databases and servers that misbehave."""
