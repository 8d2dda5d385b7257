"""Checkpoints: a run at rest, on disk: atomic, hashed, safe to load; one writer at a time."""
