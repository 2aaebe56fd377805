"""Replies that pass through in the protocol in which they arrive."""
