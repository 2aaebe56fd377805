"""The models that a key may use, and the names by which programs ask for them."""
