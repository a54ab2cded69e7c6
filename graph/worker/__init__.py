"""The worker: courier and jobs, inside the server or alone."""
