"""Serves a program's request: reads it, admits it, makes the call and answers."""
