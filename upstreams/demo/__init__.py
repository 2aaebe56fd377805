"""A model server for sites that have no model yet."""
