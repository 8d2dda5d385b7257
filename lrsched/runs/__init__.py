"""The life of one run: request, execute, resume, restore, fork, result."""
