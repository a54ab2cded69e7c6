"""Activities that integrations report, and the API keys that let integrations in."""
