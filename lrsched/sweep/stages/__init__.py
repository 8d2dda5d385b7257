"""Share steps between runs: the stage tree."""
