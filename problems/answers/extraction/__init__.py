"""Finding the answer that a candidate claims: in its words, or in what its program printed.

In: a candidate's text or a program's output. Out: the claimed answer as text, and where it stood.
Never here: what an answer means or equals, which are the modules beside this folder.
"""
