"""Several stages in one go: the whole loop (`run`), a chain on a cluster (`launch`), a suite of
sets.
"""
