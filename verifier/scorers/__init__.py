"""What scores candidates: a verifier of ours (`own`).

In: a problem and its candidates. Out: a score each. Never here: a network, or its training.
"""
