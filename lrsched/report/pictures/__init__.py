"""Pictures of a comparison, as PNG files: its curves, how it depends on the rate, and the time to a target."""
