"""From others' files to labels: thoughts, boxes, talk, tokens and invented questions on the way."""

from __future__ import annotations

import json

from assay import command_line
from assay.pools.run import Run

# Solution, reference, mode, answer, label.
ROWS = [
    ("<think>First:\n#### 12\nno.</think>\nIt is \\boxed{7}.", "7", "cot", "7", True),
    ("Maybe the answer is 5.\n</think>\n\nAdding both gives **7**.", "7", "cot", "7", True),
    ("<think>If the answer is 5 then it fails. Let me try 6", "5", "cot", None, False),
    ("<think>Is it \\boxed{5}? No.</think>\n<answer>18</answer>", "18", "cot", "18", True),
    (
        "<|channel|>analysis<|message|>\\boxed{5}?<|end|><|start|>assistant<|channel|>final"
        "<|message|>The answer is 7.",
        "7",
        "cot",
        "7",
        True,
    ),
    (
        "<think>\n```python\nprint(undefined_name)\n```\nno\n</think>\n"
        "```python\nprint(3 + 4)\n```",
        "7",
        "pot",
        "7",
        True,
    ),
    ("<think>\n```python\nprint(5)\n```\n</think>The answer is 7.", "7", "cot", "7", True),
    ("<think>\n```python\nprint(5)\n```", "5", "cot", None, False),
    ("```python\nprint(18)\n```\n\nQuestion: Tom?\nThe answer is 7.", "18", "pot", "18", True),
    (
        "```python\nprint(18)\n```\n\nQuestion: Tom?\n```python\nprint(7)\n```",
        "18",
        "pot",
        "18",
        True,
    ),
    ("```python\nprint(18)\n```<|im_end|>", "18", "pot", "18", True),
    ("$x=\\boxed{-3}$ or $x=\\boxed{3}$", "-3,3", "cot", "\\boxed{-3}, \\boxed{3}", True),
    ("$x=\\boxed{-3}$ or $x=\\boxed{3}$", "3", "cot", "\\boxed{-3}, \\boxed{3}", None),
    ("The answer is \\boxed{2}. Wait, actually \\boxed{3}", "3", "cot", "3", True),
    ("Mark it with \\boxed\n\n8 - 4 = 4. The answer is 4.", "4", "cot", "4", True),
    ("The answer is 18.\n18 / 2 = 9, so the answer is correct.", "18", "cot", "18", True),
    ("#### 2. Money\n\n9 * 2 = 18\n\nThe answer is \\boxed{18}.", "18", "cot", "18", True),
    ("9 * 2 = 18\n#### 18</s>", "18", "cot", "18", True),
    ("The answer is:\n```\n18\n```", "18", "cot", "18", True),
    ("The answer is 18.\n\nQ: Tom?\nA: The answer is 7.", "18", "cot", "18", True),
]


def test_labels(tmp_path):
    file, path = tmp_path / "candidates.jsonl", str(tmp_path / "run")
    with open(file, "w", encoding="utf-8") as lines:
        for number, (solution, reference, *_) in enumerate(ROWS):
            row = {"id": f"p{number}", "question": f"Case {number}?", "reference": reference}
            lines.write(json.dumps(row | {"solution": solution}) + "\n")
    assert command_line.main(["import", str(file), f"run={path}", "format=long"]) == 0
    assert command_line.main(["grade", path]) == 0
    found = {
        row["problem_id"]: (row["mode"], row["answer"], row["label"])
        for part in Run.open(path).parts("answers")
        for row in Run.open(path).read("answers", part).to_pylist()
    }
    assert found == {f"p{number}": row[2:] for number, row in enumerate(ROWS)}
