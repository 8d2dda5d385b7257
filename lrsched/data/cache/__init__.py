"""Samples that were decoded once, in memory-mapped files that runs and processes share."""
