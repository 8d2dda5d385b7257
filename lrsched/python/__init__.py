"""Runs from Python: what a run left behind, loaded, and its model put to use."""
