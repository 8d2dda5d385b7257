"""The gradient of one update: of the whole batch, or summed from parts."""
