"""Booking a call: reserved before it, settled after it."""
