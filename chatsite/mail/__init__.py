"""Sends mail through the server that EMAIL_URL names."""
