"""The provider pages, for administrators alone."""
