"""The provider pages, for administrators only."""
