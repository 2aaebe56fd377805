"""Pages and forms of conversations."""
