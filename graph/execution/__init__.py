"""Execution: a document prepared once, weighed, executed and masked, the same for every transport."""
