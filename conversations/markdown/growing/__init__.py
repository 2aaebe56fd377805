"""Rendering Markdown while it streams."""
