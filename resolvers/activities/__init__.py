"""Activities recorded and read, and the API keys of integrations."""
