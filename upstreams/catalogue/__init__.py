"""Adds providers and models from the environment, from presets, and from the lists of servers."""
