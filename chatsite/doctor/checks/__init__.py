"""The checks. Each is a function that yields its findings, and may take a few seconds in a thread of its own."""
