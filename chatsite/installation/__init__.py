"""What an installation keeps between two starts: its secret, its lock, its version, its files and their modes."""
