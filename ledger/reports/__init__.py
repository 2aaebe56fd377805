"""Usage as pages and files show it."""
