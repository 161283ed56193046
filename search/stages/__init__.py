"""The stages of a run: each turns part i of its input into part i of its output.

`sample` writes candidates, `grade` runs programs and labels, `score` asks a verifier; `train` makes
generators and verifiers of what they left.
"""
