"""Studies that reproduce figures: the paper table by table, the ablation, the demo.

`runner` makes the runs of a study, in turn or beside each other. `ruiz2019` and `ablation` say which runs, and report them.
"""
