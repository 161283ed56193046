"""What is told of a ranker: `README.md` beside its file, and the same tables in the terminal.

print(ranker_tables(ranker))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.verifier.ranker.model_file import Ranker

__all__ = ["ranker_card", "ranker_tables"]

_CARD = """\
---
library_name: assay
tags: [ranker, verifier, mathematics, assay]
---

# A ranker of solutions

{kind} over what is known of a candidate without the reference: how likely it is to be right.
Made with Assay.

| | |
|---|---|
| reads verifiers | {verifiers} |
| features | {features} |
| learned from | {problems} problems, {candidates} candidates, {share} % of them right |
| calibration | {calibration} |
| hash | `{hash}` |

```
assay score RUN ranker=THIS_FOLDER
```

```python
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.verifier.ranker.model_file import Ranker

run = Run.open("RUN")
scored = Ranker.load("THIS_FOLDER").score(load_frame(run, texts=True), run.problems)
print(scored.scores, scored.probabilities)
```

What follows was measured out of fold: each problem by a model that has not seen it.

```
{tables}
```
"""


def ranker_card(ranker: Ranker) -> str:
    """Markdown."""
    about, names = ranker.about, [verifier.name for verifier in ranker.verifiers]
    config = about["config"]
    kind = {
        "trees": f"{about['trees']} boosted trees of at most {config['leaves']} leaves",
        "logistic": "Logistic regression",
    }[config["model"]]
    size = f"; within pools of {ranker.pool_size} candidates, for which alone it holds"
    return _CARD.format(
        kind=kind,
        verifiers=", ".join(f"`{name}`" for name in names) or "none",
        features=f"{len(ranker.features)}{size if ranker.pool_size else ''}",
        problems=f"{about['problems']:,}",
        candidates=f"{about['candidates']:,}",
        share=f"{100 * about['right'] / about['candidates']:.1f}",
        calibration=ranker.calibration,
        hash=ranker.hash,
        tables=ranker_tables(ranker),
    )


def ranker_tables(ranker: Ranker) -> str:
    """How it ranks, its calibration curve and the importance of its features, as lines of text."""
    about = ranker.about
    lines = [*_measures(about["measures"]), "", *_calibration(about["calibration"])]
    if about["importance"]:
        lines += ["", *_importance(about["importance"])]
    return "\n".join(lines)


def _measures(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    titles = ["AUC within", "words", "programs", "Brier score", "calibration"]
    keys = ["auc_within", "words", "programs", "brier", "calibration_error"]
    lines = ["out of fold (AUC within problems and modes)".ljust(20)]
    lines.append("  ".join([" " * 20, *(f"{title:>11}" for title in titles)]))
    for row in rows:
        cells = ["–" if row[key] is None else f"{row[key]:.3f}" for key in keys]
        lines.append("  ".join([f"{row['name']:<20.20}", *(f"{cell:>11}" for cell in cells)]))
    return lines


def _calibration(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["calibration, out of fold", "  probability    mean   right  candidates"]
    for row in rows:
        bar = "█" * round(20 * row["right"])
        lines.append(
            f"  {row['low']:.1f} to {row['high']:.1f}    {row['mean']:.3f}   {row['right']:.3f}"
            f"  {row['count']:>10,}  {bar}"
        )
    return lines


def _importance(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["importance: the AUC within problems and modes falls by, when shuffled"]
    for row in rows[:15]:
        what = f"{row['name']} ({row['features']} features)" if row["features"] > 1 else row["name"]
        lines.append(f"  {what:<38.38}  {row['drop']:+.3f} ± {row['error']:.3f}")
    if len(rows) > 15:
        lines.append(f"  … and {len(rows) - 15} more that matter less")
    return lines
