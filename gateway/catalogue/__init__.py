"""The models that a key may use, and their names for programs."""
