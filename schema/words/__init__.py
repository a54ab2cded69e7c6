"""Words: what refusals and labels read like in the reader's language."""
