"""Show how far a sweep is."""
