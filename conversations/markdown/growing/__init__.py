"""Markdown while it grows: which of its blocks are closed, and what changes on the page."""
