"""What a model is asked: the transcript, its files and tools, and how much of the context window they take."""
