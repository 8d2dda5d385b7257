"""The page of a report: ``report.html``, one file that needs no network and can be read without its script.

``lrsched.page.page.page`` makes the text, :func:`write_page` puts it in a folder. Tables and pictures are made
here, from the objects of :mod:`lrsched.report`, by the templates in ``templates/`` (escaped, always). ``page.css`` and
what :mod:`lrsched.page.script` gives are put into the page; the policy in its head names their hashes and forbids all
else.

What the script finds in the page, all numbers from 0:

======================================= ==========================================================================
``section.workload#wN[data-workload]``   workload N; its table ``#wN-candidates``, its pictures ``#wN-…``
``figure.plot#…[data-plot]``             a picture: ``curves``, ``rates``, ``pairs``, ``target`` or ``find``. In it
                                         ``div.drawn`` with the SVG, ``ul.legend``, ``details`` with its numbers.
                                         ``data-metric`` of ``curves`` is the metric, ``data-rate`` that of the rates
``table.sortable``                       ``th[scope=col]`` as heads; ``td[data-key]``: the number to sort by, empty
                                         for none; cells without it are sorted by their text
``tr[data-workload][data-candidate]``    a candidate; in ``#runs-table`` a run of it
``tr[data-run][data-end]``               run N in ``#runs-table`` (``#run-N``) and ``#unfinished-table``
``.cN``, ``.dN``                         colour (``--c``) and dashes of candidate k: N = k mod 8, and
                                         (k mod 8 + k // 8) mod 6
``code.command``                         what can be copied
======================================= ==========================================================================

Two blocks of JSON, ``#lrs-data`` and ``#lrs-runs``::

    lrs-data  {"version": 1, "workloads": [WORKLOAD, …], "axes": [[step, …], …]}
    WORKLOAD  {"name", "metric", "chosen_by", "mode": "min" | "max", "metrics": [{"name", "unit"}, …],
               "candidates": [{"name", "lr", "bands": {METRIC: BAND}}, …]}
    BAND      {"axis": N, "seeds": N, "mean": [value, …]}, with more than one seed also "low" and "high"
    lrs-runs  [{"path", "label", "workload": N | null, "candidate": N | null, "lr", "seed", "end",
                "series": {METRIC: SERIES}}, …], run N in its place
    SERIES    {"axis": N, "low", "high", "log": bool, "q"}: see :func:`lrsched.page.block.packed`

An axis is a list of steps: ``axes[N]``. A metric whose unit is ``%`` holds fractions; ``lr/default`` is a metric too.
"""

from __future__ import annotations

from lrsched.page.write import write_page

__all__ = ["write_page"]
