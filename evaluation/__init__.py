"""What a pool is worth, for people: tables, costs, comparisons of runs, the report.

In: a run that was graded, and scored where a rule needs it. Out: tables for the terminal, JSON and
CSV, a page and figures. Never here: the arithmetic of rules and curves, which is `assay.selection`.
"""
