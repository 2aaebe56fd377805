"""A client for the Model Context Protocol over streamable HTTP."""
