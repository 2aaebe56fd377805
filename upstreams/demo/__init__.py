"""A model server for sites that have not connected a model yet."""
