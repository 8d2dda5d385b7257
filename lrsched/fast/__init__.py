"""``trainer=fast``: choose what is fastest on this machine for a model, by timing a few updates, before a run begins.

::

    keys       which keys of a config are auto, and how their values are written
    work       what an update of a config does: configs of one work share their choice
    figures    what was timed, and which values follow from it
    candidate  the parts of a run with some values, and updates that change nothing (imports torch)
    timing     times updates (imports torch)
    kept       the figures of a sweep in its folder, which several commands may write
    chooser    chooses once for each work of a sweep
"""
