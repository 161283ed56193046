"""The report: a page to look through, figures for papers, tidy tables.

`report` is the command; `page` fills the templates of `templates/` with what `sections/` computes;
`figures`, `curve_figures` and `drawing` draw; `tidy` writes the tables; `problem` packs one
problem's candidates.
"""
