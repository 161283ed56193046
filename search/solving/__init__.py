"""Answering questions: sample, run, score, vote, and show how the answer came about."""
