"""Batches of items that are made one by one, in worker processes, each from a key of its own."""
