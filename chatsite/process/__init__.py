"""What a process of the site does beside its requests: start and end, its lease, its threads, its memory."""
