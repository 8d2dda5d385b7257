"""From settings to the objects of a run."""
