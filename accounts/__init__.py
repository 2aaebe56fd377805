"""Accounts, signing in, the first administrator, API keys."""
