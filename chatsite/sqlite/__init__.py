"""Django's database backend for SQLite, in which the writers of a process queue."""
