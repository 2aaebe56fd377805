"""Passes replies through in the protocol in which they arrive."""
