"""The older names of what a data set is made of: Arrays is :class:`Images`."""

from lrsched.data.images import Images as Arrays
from lrsched.data.source import Source

__all__ = ["Arrays", "Source"]
