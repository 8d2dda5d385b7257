"""JSON schemas of the YAML files, for editors: keys, types, ranges and choices while one types."""
