"""How Sphinx builds these pages: ``nox -s docs``, or ``python -m sphinx -W docs build/docs``; no network is needed."""

from __future__ import annotations

import lrsched

project = "lrsched"
author = "the lrsched authors"
copyright = "2026, the lrsched authors"
version = release = lrsched.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build"]
nb_execution_mode = "off"  # the notebook holds what came out when it was made
html_theme = "furo"
html_title = f"lrsched {version}"

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "plain"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_class_signature = "mixed"
