"""Show the progress of a sweep."""
