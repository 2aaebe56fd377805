"""Backs up the database, the uploads and the secrets in one file, and restores them."""
