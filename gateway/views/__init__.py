"""The pages of API keys: one's own, and for administrators everybody's."""
