"""Decide which jobs a sweep has."""
