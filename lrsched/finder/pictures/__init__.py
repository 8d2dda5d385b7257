"""The picture of what runs told: losses over the rate, and what follows."""
