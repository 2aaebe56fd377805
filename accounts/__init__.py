"""Who people are: accounts, signing in, the first administrator."""
