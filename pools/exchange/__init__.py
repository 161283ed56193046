"""Candidates that others sampled come in, and pools go out.

In: JSONL or Parquet files in somebody's format and a mapping of its fields. Out: runs like any
other, and pools as files that anybody reads.
"""
