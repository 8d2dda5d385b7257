"""Folders of picture files: found, read, brought to one size, and checked."""
