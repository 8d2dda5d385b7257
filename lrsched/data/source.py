"""Define Source, the base class of data sets."""

from __future__ import annotations

from abc import ABC, abstractmethod

from lrsched.data.data import Data


class Source(ABC):
    """A data set. A subclass is a frozen dataclass; its fields are the parameters."""

    @abstractmethod
    def load(self) -> Data:
        """Load the whole data set into memory.

        Raises:
            DataError: the data set is missing or damaged.
        """
