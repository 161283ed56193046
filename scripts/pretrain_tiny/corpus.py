r"""The pre-training corpus of the embedded tiny model: endless, procedural, true.

A family (families.py, stories.py) writes a `Story` (story.py). Here a story becomes an `Example`: a
prompt and a response in one of two modes, exactly as Assay's plain prompt form:

    cot   "Question: …\nAnswer:"                          " Ann has 3*4 = 12 pens.\n#### 12"
    pot   "Question: … Let's write a program.\nAnswer:"    "\nx1 = 3 * 4\nprint(x1)"

The program is derived from the steps as one derives it from calculator annotations: one assignment
a step, and a number that equals an earlier result is that variable.

    python scripts/pretrain_tiny/corpus.py --stage 2 --n 5        # look at some
"""

from __future__ import annotations

import argparse
import random
import re
from dataclasses import dataclass
from fractions import Fraction

import families
import stories
from story import Story, evaluate

NUMBER = re.compile(r"\d+(?:\.\d+)?")
ANSWER = re.compile(r"#### (-?[\d.]+)\s*$")
ASSIGNMENT = re.compile(r"(x\d+) = ([x\d\s.+\-*/()]+)")
COT_SHARE, PRACTICE_SHARE = 0.65, 0.22
LOWERED = {"The", "There", "That", "They", "In", "It", "She", "He", "Each", "One", "After", "For"}
LOWERED |= {"Together", "Altogether", "All", "Both", "Of", "First", "Then", "So", "Now"}
PRINT = re.compile(r"print\((x\d+)\)")


@dataclass(frozen=True)
class Example:
    """What the model is trained on: loss falls on `response` (followed by the end token)."""

    family: str
    mode: str
    prompt: str
    response: str
    answer: Fraction


def run_program(text: str) -> Fraction | None:
    """What a program of assignments and one `print` prints, without executing it; else None."""
    names: dict[str, Fraction] = {}
    for line in text.strip().splitlines():
        if assigned := ASSIGNMENT.fullmatch(line.strip()):
            try:
                names[assigned[1]] = evaluate(assigned[2], names)
            except (ValueError, ZeroDivisionError, RecursionError, MemoryError):
                return None
        elif printed := PRINT.fullmatch(line.strip()):
            return names.get(printed[1])
        else:
            return None
    return None


def final_answer(mode: str, response: str) -> Fraction | None:
    """The answer that a response claims: its `#### N`, or what its program prints."""
    if mode == "pot":
        return run_program(response)
    found = ANSWER.search(response)
    try:
        return Fraction(found[1]) if found else None
    except ValueError:
        return None


def show(value: Fraction) -> str:
    """`12` or `2.5`. Raises ValueError where the value does not end within four decimals."""
    if value.denominator == 1:
        return str(value.numerator)
    text = f"{float(value):.4f}".rstrip("0")
    if Fraction(text) != value:
        raise ValueError(f"{value} does not end")
    return text


def as_program(story: Story) -> str:
    """The story's program: `x1 = …` a step, earlier results by name, the last one printed."""
    lines: list[str] = []
    results: dict[Fraction, str] = {}
    for index, step in enumerate(story.steps, start=1):
        expr = step.expr.replace("$", "")
        named = NUMBER.sub(lambda m: results.get(Fraction(m[0]), m[0]), expr)
        lines.append(f"x{index} = {named}")
        results.setdefault(evaluate(expr), f"x{index}")
    lines.append(f"print(x{len(story.steps)})")
    return "\n" + "\n".join(lines)


def link(rng: random.Random, text: str, index: int, count: int) -> str:
    """The line with a word that ties it to the lines before: "Then she has …"."""
    if index == 0:
        words = ["First, ", "To start, ", "First find this: ", "", "At first, "]
    elif index == count - 1:
        words = ["So ", "Therefore, ", "Thus, ", "Finally, ", "In the end, ", "This means that "]
    else:
        words = ["Then ", "Next, ", "So ", "Now ", "", "Then find this: ", "And "]
    word = rng.choice(words)
    first = text.split(" ")[0]
    if word and not word.endswith(": ") and first in LOWERED:
        text = text[0].lower() + text[1:]
    return word + text


def as_words(story: Story, rng: random.Random) -> str:
    """The story's solution in words, in one of the spellings that arithmetic comes in."""
    spaced, units = rng.random() < 0.7, rng.random() < 0.3
    times, linked = rng.choice("****xx×"), rng.random() < 0.4 and story.steps[0].text != "{}"
    lines: list[str] = []
    for step in story.steps:
        value = show(evaluate(step.expr.replace("$", "")))
        plain = step.unit and not re.search(r"[*/]", step.expr)
        expr = NUMBER.sub(rf"\g<0> {step.unit}", step.expr) if (units and plain) else step.expr
        if times != "*":
            expr = expr.replace("*", times)
        if not spaced and not (units and plain):
            expr = expr.replace(" ", "")
        equals = " = " if spaced or (units and plain) else "="
        money = "$" in step.expr and not re.search(r"\$\S+ / \$", step.expr)
        text = step.text
        if linked:
            text = link(rng, text, len(lines), len(story.steps))
        lines.append(text.replace("{}", f"{expr}{equals}{'$' * money}{value}"))
    return " " + "\n".join(lines) + f"\n#### {value}"


TAIL = " Give the result as your final answer. Do not include units."


def render(family: str, story: Story, mode: str, rng: random.Random) -> Example:
    """The story as a training example. Money is `$`, `£` or `€` throughout. Raises ValueError
    where a result is negative or has more than four decimals.
    """
    values = [evaluate(step.expr.replace("$", "")) for step in story.steps]
    for value in values:
        show(value)
        if value < 0 or value > 2_000_000:
            raise ValueError("out of range")
    response = as_program(story) if mode == "pot" else as_words(story, rng)
    question = story.question + (TAIL if rng.random() < 0.15 else "")
    if mode == "pot":
        question += " Let's write a program."
    currency = rng.choice("$$$£€")
    prompt = f"Question: {question}\nAnswer:".replace("$", currency)
    return Example(family, mode, prompt, response.replace("$", currency), values[-1])


def sample(rng: random.Random, stage: int, only: bool = False) -> Example:
    """A fresh example of stage 1 (a step or two), 2 (two to four) or 3 (long stories).

    A later stage keeps a quarter of the earlier ones and a fifth of sums, unless `only` it is
    wanted. Deterministic in
    `rng`'s state.
    """
    while True:
        at = stage if only or stage == 1 or rng.random() < 0.75 else rng.randrange(1, stage)
        family = rng.choice(stories.STAGES[at])
        mode = "cot" if rng.random() < COT_SHARE else "pot"
        if stage > 1 and not only and rng.random() < PRACTICE_SHARE:
            family, mode = families.practice, "cot"
        try:
            return render(family.__name__, family(rng), mode, rng)
        except ValueError:
            continue


def main() -> None:
    parser = argparse.ArgumentParser(description="Print examples of the pre-training corpus.")
    parser.add_argument("--stage", type=int, default=1)
    parser.add_argument("--n", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    for _ in range(args.n):
        example = sample(rng, args.stage)
        print(f"--- {example.family} {example.mode}\n{example.prompt}{example.response}")


if __name__ == "__main__":
    main()
