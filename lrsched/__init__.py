"""Learning-rate schedules in PyTorch: exact, config-driven, comparable.

Importing this package imports neither torch nor numpy.
"""

__version__ = "0.1.0"
