"""Every refusal the domain can answer with, its stable code, and why a live stream ends."""
