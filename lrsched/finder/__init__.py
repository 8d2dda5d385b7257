"""Learning-rate finders: which rate, how sure, at what cost. ``lrsched find`` is their command."""
