"""From a model's text to the program in it."""

import pytest

from assay.sandbox import clean_program

CASES = {
    "a plain program": ("print(1)\n", "print(1)\n"),
    "no newline at its end": ("x = 1\nprint(x)", "x = 1\nprint(x)"),
    "prose around one block": (
        "Sure:\n```python\nprint(6 * 7)\n```\nDone.",
        "print(6 * 7)\n",
    ),
    "a fence without a language": ("```\nprint(1)\n```", "print(1)\n"),
    "tildes": ("~~~py\nprint(1)\n~~~\n", "print(1)\n"),
    "a fence never closed": ("Code:\n```python\nx = 1\nprint(x)", "x = 1\nprint(x)\n"),
    "a fence opened in the prompt": ("print(1)\n```\n", "print(1)\n"),
    "and followed by its output": (
        "print(1)\n```\n```output\n1\n```\nThe answer is 1.",
        "print(1)\n",
    ),
    "a block and its output": ("```python\nprint(1)\n```\n```output\n1\n```", "print(1)\n"),
    "output right behind the program": ("```python\nprint(1)\n```output\n1\n```", "print(1)\n"),
    "two blocks that belong together": (
        "First\n```python\nx = 1\n```\nthen\n```python\nprint(x)\n```",
        "x = 1\nprint(x)\n",
    ),
    "only another language": ("```bash\nls\n```", ""),
    "a block in a list": (
        "1. So:\n   ```python\n   if True:\n       print(1)\n   ```",
        "if True:\n    print(1)\n",
    ),
    "a REPL session": (
        ">>> x = 1\n>>> for i in range(3):\n...     x += i\n...\n>>> print(x)\n4\n",
        "x = 1\nfor i in range(3):\n    x += i\n\nprint(x)\n",
    ),
    "prompts in a string": ('s = """\n>>> x\n"""\nprint(s)\n', 's = """\n>>> x\n"""\nprint(s)\n'),
    "everything indented": ("  x = 1\n  print(x)", "x = 1\nprint(x)"),
    "the first line not indented": ("def f():\n  return 1\nf()", "def f():\n  return 1\nf()"),
    "Windows line ends": ("x = 1\r\nprint(x)\r\n", "x = 1\nprint(x)\n"),
    "a byte order mark": ("\ufeffprint(1)", "print(1)"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_program_in_a_text(name: str) -> None:
    text, program = CASES[name]
    assert clean_program(text) == program
    assert clean_program(program) == program


def test_a_fence_with_many_blanks_takes_no_time() -> None:
    """It once took time that grew with the square of their number: minutes for these."""
    assert clean_program("```" + " " * 500_000 + "!\nprint(1)").endswith("print(1)")
