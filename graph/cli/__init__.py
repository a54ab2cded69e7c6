"""The command line: what operators run."""
