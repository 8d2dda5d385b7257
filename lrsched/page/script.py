"""The page's script and the style of what it makes, each as one text: uPlot, and one file of ours for each idea.

The files of ``js/`` share one scope and are joined as they are, in the order of :data:`ORDER`. uPlot 1.6.32 lies in
``vendor/`` with its licence (MIT), as its authors built it.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
ORDER = (
    "state",
    "make",
    "theme",
    "numbers",
    "data",
    "axes",
    "tables",
    "zoom",
    "legend",
    "keys",
    "plots",
    "watch",
    "start",
)
"""The files of ``js/``: what runs when it is read comes after what it needs."""


@cache
def script() -> str:
    """What stands in the page's one ``<script>``.

    >>> "</script" in script().lower()
    False
    """
    ours = "\n".join((HERE / "js" / f"{name}.js").read_text("utf-8") for name in ORDER)
    vendored = (HERE / "vendor" / "uPlot.iife.min.js").read_text("utf-8")
    return f'{vendored}\n(() => {{\n"use strict";\n{ours}}})();\n'


@cache
def style() -> str:
    """The style of what the script makes, to stand in the page's ``<style>``."""
    return (HERE / "vendor" / "uPlot.min.css").read_text("utf-8") + (HERE / "script.css").read_text("utf-8")


def script_hash(text: str) -> str:
    """The source by which a Content-Security-Policy allows this script, and no other.

    >>> script_hash("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
