"""What a run may take of the machine: how many threads, and how they wait for one another."""
