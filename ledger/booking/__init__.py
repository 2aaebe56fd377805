"""Booking of calls: a reservation before, a settlement after."""
