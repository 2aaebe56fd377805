"""Serves one request of a program: reads it, admits it, makes the call and answers."""
