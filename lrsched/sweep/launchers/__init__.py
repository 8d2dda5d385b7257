"""Start the jobs of a sweep and collect their outcomes."""
