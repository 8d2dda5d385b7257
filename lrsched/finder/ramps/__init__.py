"""The range test: a ramp of the rate over some updates, and what its losses suggest."""
