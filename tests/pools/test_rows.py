"""The tables of a pool share one key; their types are what readers of the files rely on."""

from dataclasses import replace

import pyarrow as pa

from assay.pools.rows import (
    KEY,
    Candidate,
    Graded,
    answers_table,
    candidate_of,
    candidates_table,
    imported_table,
    scores_table,
)
from assay.selection.free import FREE_SCORES

FREE = {"min_logprob": -1.5, "entropy": 0.25}
CANDIDATE = Candidate("p", "pot", 3, "print(1)", [7, 8], 2, 5, -0.5, "stop", "a", FREE)
GRADED = Graded("ok", "1\n", "", 0.25, "1", "printed", 0, True)
ROW = {"problem_id": "p", "origin": "a", "mode": "pot", "sample": 3}
TABLES = [
    candidates_table([CANDIDATE]),
    answers_table([CANDIDATE], [GRADED]),
    imported_table([ROW | {"imported_answer": "1", "imported_label": None}]),
    scores_table([ROW | {"score": 0.5}], values=False),
    scores_table([ROW | {"score": 0.5, "values": [0.5], "starts": [0], "ends": [1]}], values=True),
]


def test_every_table_begins_with_the_key():
    for table in TABLES:
        assert table.column_names[:4] == ["problem_id", "origin", "mode", "sample"] == list(KEY)
        assert table.schema.types[:4] == [pa.string(), pa.string(), pa.string(), pa.int32()]
        assert {name: table[name][0].as_py() for name in KEY} == ROW


def test_types_on_disk():
    text, number, integer, truth = pa.string(), pa.float32(), pa.int32(), pa.bool_()
    scored = {"score": number, "verifier_tokens": integer, "verifier_prompt_tokens": integer}
    expected = [
        {
            **{"text": text, "token_ids": pa.list_(integer), "tokens": integer},
            **{"prompt_tokens": integer, "logprob": number, "stop": text},
            **{"min_logprob": number, "self_certainty": number, "token_confidence": number},
            **{"lowest_confidence": number, "bottom_confidence": number},
            **{"tail_confidence": number, "entropy": number, "margin": number},
        },
        {
            **{"outcome": text, "output": text, "message": text, "program_seconds": number},
            **{"answer": text, "source": text, "answer_class": integer, "label": truth},
        },
        {"imported_answer": text, "imported_label": truth},
        scored,
        {
            **scored,
            **{"values": pa.list_(number), "starts": pa.list_(integer), "ends": pa.list_(integer)},
        },
    ]
    for table, columns in zip(TABLES, expected, strict=True):
        assert dict(zip(table.column_names[4:], table.schema.types[4:], strict=True)) == columns


def test_rows_come_back_as_they_were():
    assert candidate_of(TABLES[0].to_pylist()[0]) == CANDIDATE
    graded = {name: value for name, value in TABLES[1].to_pylist()[0].items() if name not in KEY}
    assert Graded(**graded) == GRADED


def test_free_scores_that_are_no_numbers_are_null():
    scores = {"margin": float("inf"), "entropy": float("nan"), "min_logprob": -1.0}
    row = candidates_table([replace(CANDIDATE, free=scores)]).to_pylist()[0]
    assert [row[name] for name in ("margin", "entropy", "min_logprob")] == [None, None, -1.0]
    assert candidate_of(row).free == {"min_logprob": -1.0}


def test_rows_of_versions_without_free_scores():
    row = TABLES[0].select([n for n in TABLES[0].column_names if n not in FREE_SCORES]).to_pylist()
    assert candidate_of(row[0]) == replace(CANDIDATE, free={})
