"""Sweeps: many runs side by side, each in a process of its own."""
