"""Spending compute at test time: the stages of a run, who does them, solving, whole loops.

In: problems, a generator, a verifier, a configuration. Out: runs with their parts, answers, trained
models. Never here: what a pool is worth (`assay.evaluation`) or how a model computes
(`assay.generator`, `assay.verifier`).
"""
