"""The pages of API keys: a person's own, and all keys for administrators."""
