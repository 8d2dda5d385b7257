"""A progress bar below a notebook's cell."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class NotebookBar:
    """Draws itself in place by IPython's display, in every notebook that IPython runs; needs no widgets.

    Args:
        steps: of the run.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._shown: Any = None

    def draw(self, step: int, text: str) -> None:
        """Show the step, and the newest values in one line."""
        from html import escape  # a large table, which few need

        display = import_module("IPython.display").display  # there, in a notebook
        words = f"{step}/{self._steps}  {text}"
        bar = f'<progress value="{step}" max="{self._steps}" style="width: 12em"></progress>'
        picture = {"text/plain": words, "text/html": f"{bar} <code>{escape(words)}</code>"}
        if self._shown is None:
            self._shown = display(picture, raw=True, display_id=True)
        else:
            self._shown.update(picture, raw=True)

    def close(self) -> None:
        """Leave the last picture."""
