"""What the log contains: its format, the ids of requests and answers, and what it leaves out."""
