"""The page that the hub shows of a verifier: `README.md` beside its weights.

(path / "README.md").write_text(model_card(verifier.settings))
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.verifier.config import VerifierSettings

__all__ = ["model_card"]

_CARD = """\
---
library_name: transformers
tags: [verifier, outcome-reward-model, mathematics, assay]
{base}---

# A verifier of solutions

A language model with one reserved token (Cobbe et al. 2021, arXiv 2110.14168): at every token of a
solution, {head} predicts whether the solution is right. Made with Assay.

| | |
|---|---|
| reserved token | `{token}` (id {token_id}) |
| level | {level} |
| loss | {loss} |
| residual dropout in training | {dropout:g} |
| prompt form | {form} |
| reads a program's output | {output} |

```
assay score RUN verifier=THIS_FOLDER_OR_HUB_ID
```

```python
from assay.generator.models import ModelConfig
from assay.problems.problem import Problem
from assay.verifier.config import ScoreConfig
from assay.verifier.data import LabelledCandidate
from assay.verifier.model import load_verifier
from assay.verifier.score import score

verifier, tokenizer, prompter = load_verifier(ModelConfig("THIS_FOLDER_OR_HUB_ID"))
problem = Problem(id="1", question="What is 6 times 7?")
candidates = [LabelledCandidate("1", "cot", "6 * 7 = 42\\n#### 42", label=True)]
print(score(verifier, tokenizer, prompter, problem, candidates, ScoreConfig()).scores)
```

`AutoModelForCausalLM` opens the folder as a plain language model.
"""


def model_card(settings: VerifierSettings) -> str:
    """Markdown with the hub's metadata; the base is named there only where it is a hub id."""
    named = re.fullmatch(r"[\w.-]+/[\w.-]+", settings.base) and not Path(settings.base).exists()
    return _CARD.format(
        base=f"base_model: {settings.base}\n" if named else "",
        head=("a linear head" if settings.head == "linear" else "its logit, scaled and shifted,")
        + (" with the solution's likelihood," if settings.head_inputs != "hidden" else ""),
        token=settings.reserved_token,
        token_id=settings.reserved_token_id,
        level=settings.level,
        loss=settings.loss,
        dropout=settings.dropout,
        form=settings.prompt.form,
        output="yes" if settings.append_output else "no",
    )
