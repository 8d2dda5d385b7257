"""The page of a report, live: rows are read as they are written, and a browser on this machine is told what changed.

:mod:`.follow` reads a run's rows from where it stopped, :mod:`.live` makes the page of them, :mod:`.server` answers.
"""
