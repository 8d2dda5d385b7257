"""Training: one state, one update, one loop, in one order."""
