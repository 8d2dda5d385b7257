"""Define Source, the base class of data sets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lrsched.data.data import Data
    from lrsched.data.items import Items


class Source(ABC):
    """A data set. A subclass is a frozen dataclass; its fields are the parameters."""

    @abstractmethod
    def load(self) -> Data | Items:
        """Load the whole data set into memory as Data; or give Items, which are made when they are needed.

        Raises:
            DataError: the data set is missing or damaged.
        """
