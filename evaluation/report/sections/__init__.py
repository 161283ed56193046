"""What the sections of the page hold, as plain data for its templates and charts.

A section is a template in `templates/sections/` and a module here of the same subject. `Runs` are
(name, evaluation) pairs, in the order of the columns.
"""
