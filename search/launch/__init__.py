"""Who does the parts of a stage: processes of this machine, a Slurm array job, a Ray cluster.

In: the parts that a stage has left and a function that does one. Out: parts written, progress told.
"""
