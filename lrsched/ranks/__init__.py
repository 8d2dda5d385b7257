"""One run on several processes, which torch calls ranks."""
