"""HTTP: what a request brings and what answers it, bounded in size, time and number, and who is asking."""
