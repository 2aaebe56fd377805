"""The forms of a conversation."""
