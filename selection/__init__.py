"""Choosing an answer from a pool, and what that is worth: arrays only.

In: answer classes, scores and labels as arrays of shape (problems, samples). Out: rules, accuracy
at every n, intervals, paired differences, measures of scores. Never here: texts, models, files; a
pool is read in `assay.pools` and shown in `assay.evaluation`.
"""
