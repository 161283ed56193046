"""What was sampled: a run on disk, the rows of its tables, grading, and one frame of it all.

In: candidates from a generator or from somebody else's file. Out: parts that are written whole,
graded candidates, a pandas frame. Never here: models, or what a pool is worth (`assay.evaluation`).
"""
