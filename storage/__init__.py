"""Where files are, and writing them whole.

In: a path or an object store's URL, and what is to be written. Out: places that read and list alike
wherever they are, and files that exist whole or not at all. Never here: what a file means; a run's
parts are `assay.pools`.
"""
