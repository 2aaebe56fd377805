"""The pages of usage, budgets and rate limits."""
