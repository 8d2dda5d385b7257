"""A run on several processes: what rank 0 tells the others, and what they do with it."""
