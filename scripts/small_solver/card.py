"""The card of the small solver, from what its chain measured: CHAIN/README.md, which is shipped.

python -m scripts.small_solver.card --chain runs/small_solver/chain
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

__all__ = ["card"]

_CARD = """\
---
license: apache-2.0
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
tags: [mathematics, program-of-thought, verifier, assay]
---

# Assay's small solver

A generator that answers grade-school questions by short Python programs, and a verifier that judges
them: adapters on SmolLM2-135M-Instruct (Apache-2.0), written out as whole models by
`assay fetch small-solver`. Many programs are sampled, run in a sandbox, scored, and a rule that
held-out problems chose picks the answer (`choice.json`).

```
assay solve "Tom has 12 apples. He buys 30 more and gives 9 to his sister. How many are left?"
```

- **For** plain questions of one to three steps, and for trying out what verification is worth. It
  is a model of 135 million parameters: of GSM8K it solves few.
- **Trained on** questions that programs made and on the derived programs of GSM8K's training
  problems (MIT). Never on GSM-Symbolic, whose templates are reworded *test* questions of GSM8K, nor
  on any of the sets below. What exactly, and by which commands:
  `scripts/small_solver/README.md` and `docs/results/gsm8k_135m.md`.
- The verifier learned from {candidates} candidates of {problems} problems; ranker and rule from
  {held} problems that neither model was trained on.

## Measured

Programs at a temperature of 0.7; accuracy in % with 95 % intervals over problems, by
`scripts/small_solver/chain.sh`.
"""
_SETS = {
    "plain": "The 50 plain questions (`scripts/small_solver/questions.jsonl`)",
    "svamp": "SVAMP",
    "gsm8k": "GSM8K, test",
}


def card(chain: Path) -> str:
    """The card's text. Needs the verifier's record and the tables in the chain's folder."""
    data = _read(chain / "verifier" / "assay.json").get("data", {})
    held = sum(1 for _ in (chain / "held" / "problems.jsonl").open(encoding="utf-8"))
    numbers = {name: data.get(name, "?") for name in ("candidates", "problems")}
    parts = [_CARD.format(**numbers, held=held)]
    for name, title in _SETS.items():
        table = (chain / f"{name}.txt").read_text("utf-8").rstrip()
        parts.append(f"### {title}\n\n```\n{table}\n```\n")
    return "\n".join(parts)


def _read(file: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return record


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--chain", type=Path, required=True, help="the chain's folder")
    chain = parser.parse_args().chain
    (chain / "README.md").write_text(card(chain), "utf-8")
    print(f"card written to {chain / 'README.md'}")


if __name__ == "__main__":
    main()
