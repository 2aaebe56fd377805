"""The settings pages of tools and their servers."""
