"""What was used, as pages and files show it."""
