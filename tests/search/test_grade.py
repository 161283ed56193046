"""`assay grade` by shards."""

import json

from assay import command_line
from assay.pools.run import Run


def test_a_shard_without_parts_may_come_before_the_others(tmp_path, capsys):
    problem = {"question": "1+1?", "answer": "2"}
    candidates = [{"mode": "cot", "text": "#### 2"}]
    rows = [{"id": f"p{i}", **problem, "candidates": candidates} for i in range(2)]
    pool, run = tmp_path / "pool.jsonl", str(tmp_path / "run")
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert command_line.main(["import", str(pool), f"run={run}", "problems_per_part=2"]) == 0
    capsys.readouterr()
    assert command_line.main(["grade", run, "shard=1/2"]) == 0
    assert capsys.readouterr().out == f"0 parts of answers in {run}/answers\n"
    assert command_line.main(["grade", run, "shard=0/2"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"1 parts of answers in {run}/answers"
    assert len(Run.open(run).parts("answers")) == 1
