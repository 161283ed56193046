"""`assay grade` on answers and outputs that are easily misread: labels from the files on."""

import json

import pytest

from assay import command_line
from assay.pools.run import Run

SOLVE = "import numpy as np\nprint(np.linalg.solve([[1., 1.], [1., -1.]], [2., 4.]))"
MATRIX = r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"
BOXED = {  # name: (reference, content of the box, label)
    "and": ("[2,5)", r"x \ge 2 \text{ and } x < 5", True),
    "and, open": ("(2,5)", r"2 < x \text{ and } x < 5", True),
    "and, closed above": ("(2,7]", r"2 < x \text{ and } x \le 7", True),
    "comma": ("2 < x < 5", "x > 2, x < 5", True),
    "chain": ("[2,5)", r"2 \le x < 5", True),
    "a third": ("1/3", "0.(3)", True),
    "a sixth": ("1/6", "0.1(6)", True),
    "no zero": ("0", "0.(3)", False),
    "no product": ("10", "2.(5)", False),
    "four ninths": ("0.(4)", "0.(3)", False),
    "a line": ("1/3", r"0.\overline{3}", True),
    "speed": ("5 km/h", "5 mph", None),
    "volume": ("5 liters", "5 gallons", None),
    "money": (r"\$5", "£5", None),
    "temperature": ("30 degrees Fahrenheit", "30 degrees Celsius", None),
    "power": ("5 kilowatts", "5 watts", None),
    "length": ("5 cm", "5 m", None),
}
PROGRAMS = {  # name: (reference, program, label)
    "digits": ("5736", "import math\nprint(len(str(math.factorial(2000))))", True),
    "sum of digits": (
        "23382",
        "import math\nprint(sum(int(d) for d in str(math.factorial(2000))))",
        True,
    ),
    "f-string": ("6021", "print(len(f'{2**20000}'))", True),
    "int": ("5000", "print(sum(map(int, str(int('1' * 5000)))))", True),
    "sympy": ("5736", "from sympy import factorial\nprint(len(str(factorial(2000))))", True),
    "ans": ("5736", "import math\nans = len(str(math.factorial(2000)))", True),
    "all the digits": ("1" + 5000 * "0", "print(10**5000)", True),
    "few digits": ("4300", "print(len(str(10**4299)))", True),
    "array": ("3, -1", SOLVE, True),
    "array, wrong": ("2", SOLVE, False),
    "halves": ("1.5, -0.5", "import numpy as np\nprint(np.array([1.5, -0.5]))", True),
    "whole": ("1, 2", "import numpy as np\nprint(np.array([1., 2.]))", True),
    "matrix": (MATRIX, "import numpy as np\nprint(np.array([[1, 2], [3, 4]]))", True),
    "list of lists": (MATRIX, "print([[1, 2], [3, 4]])", True),
    "And": (
        "(2, 5)",
        "from sympy import *\nx = symbols('x')\nprint(And(x > 2, x < 5))",
        True,
    ),
    "list": ("3, -1", "import numpy as np\nprint(np.array([3, -1]).tolist())", True),
}
REFERENCES = {  # name: (reference, text, label)
    "null": (None, "The answer is 7.", None),
    "NaN": (float("nan"), "The answer is 7.", None),
    "empty": ("", "The answer is 7.", None),
    "N/A": ("N/A", "The answer is 7.", None),
    "True": ("True", "The answer is True.", True),
    "None": (r"\text{None}", r"The answer is \boxed{\text{None}}.", True),
}


def rows() -> list[dict[str, object]]:
    made = []
    for name, (reference, content, _) in BOXED.items():
        made.append((name, reference, "cot", rf"So \boxed{{{content}}}"))
    for name, (reference, program, _) in PROGRAMS.items():
        made.append((name, reference, "pot", program))
    for name, (known, text, _) in REFERENCES.items():
        made.append((name, known, "cot", text))
    return [
        {"id": name, "question": f"{name}?", "reference": known, "mode": mode, "solution": text}
        for name, known, mode, text in made
    ]


def test_labels(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    pool, run = tmp_path / "pool.jsonl", str(tmp_path / "run")
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    assert command_line.main(["import", str(pool), f"run={run}", "format=long"]) == 0
    capsys.readouterr()
    assert command_line.main(["grade", run]) == 0
    assert (
        "note: 4 of 39 problems have no reference answer (missing, empty, NaN, N/A or None): "
        "no label for their candidates\n"
    ) in capsys.readouterr().out
    opened = Run.open(run)
    found = {
        row["problem_id"]: row["label"]
        for part in opened.parts("answers")
        for row in opened.read("answers", part).to_pylist()
    }
    expected = {**BOXED, **PROGRAMS, **REFERENCES}
    assert found == {name: label for name, (_, _, label) in expected.items()}


def test_no_note_where_every_reference_is_an_answer(
    tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"id": "p", "question": "1 + 1?", "reference": "2", "solution": "The answer is 2."}
    pool, run = tmp_path / "pool.jsonl", str(tmp_path / "run")
    pool.write_text(json.dumps(row) + "\n")
    assert command_line.main(["import", str(pool), f"run={run}", "format=long"]) == 0
    assert command_line.main(["grade", run]) == 0
    assert "note:" not in capsys.readouterr().out
