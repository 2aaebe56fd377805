"""A reply's life: claimed, asked for, streamed to its viewers, saved and ended."""
