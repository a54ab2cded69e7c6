"""Live streams: changes read once and delivered to whom they concern, over WebSocket and as event streams."""
