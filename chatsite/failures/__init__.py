"""Faults that may pass: which do, how they are logged, and how work is retried."""
