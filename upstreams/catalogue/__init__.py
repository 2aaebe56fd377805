"""Which providers and models there are: from the environment, presets, and the servers' own lists."""
