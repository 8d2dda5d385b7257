"""Sweeps: many runs side by side, each in a process of its own.

::

    Hydra's adapter (_hydra)     -> sweepers: SweepRunner plans the jobs -> launchers.dispatch.hand_over
    launcher ``pool``            -> preload, stage tree, a forked child a job -> launchers.worker.run_job
    another library's launcher   -> cli.job in its process -> launchers.worker.run_job in one of its own
    run_job                      -> runs.start.make_run -> runs.execute.execute
"""
