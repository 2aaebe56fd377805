"""Work that nobody asks for: recovering abandoned replies and purging what was deleted."""
