"""Where providers and models come from: the environment, presets, and the lists of servers."""
