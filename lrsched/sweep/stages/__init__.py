"""Steps that runs share: a tree of stages."""
