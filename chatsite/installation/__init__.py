"""What an installation keeps between two starts: its secret, its files and their modes, its lock, its version."""
