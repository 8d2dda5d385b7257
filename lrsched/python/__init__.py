"""lrsched from Python: runs from a script or a notebook."""
