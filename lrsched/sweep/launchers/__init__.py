"""Start the jobs of a sweep, and learn what became of them."""
