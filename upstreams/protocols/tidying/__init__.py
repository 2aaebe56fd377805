"""What the replies of both protocols need after decoding."""
