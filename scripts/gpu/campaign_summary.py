"""What the campaign leaves to take home: one folder, WORK/summary, and the same as one file.

result.md is what came out, with machine, size, times and the command: to be read. report/ holds the
report's table, figures and numbers, training/ the records of generator and verifier, bench/ the
tables of benchmarks, logs/ the end of what each stage and benchmark printed, candidates.jsonl.gz
candidates of some test problems with the value at every token, campaign.json everything that was
decided and measured. Of a campaign that is not done, what there is.
"""

from __future__ import annotations

import gzip
import json
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.pools.frame import load_frame
from assay.pools.run import Run, versions
from assay.storage.files import write_json
from scripts.bench.machine import processor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["headline", "write_summary"]

REPORT = ("table.txt", "accuracy.csv", "evaluation.json", "curves.svg", "curves.png")
PROBLEMS, CANDIDATES = 24, 8
LOG_CHARACTERS = 20_000
RULES = ("majority", "best_of_n", "weighted", "top_k")


def write_summary(work: Path, state: Mapping[str, Any], given: Mapping[str, str]) -> int:
    """Writes both; returns the size of the one file in bytes."""
    folder = work / "summary"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("report", "training", "bench", "logs"):
        (folder / name).mkdir(parents=True)
    done, report = state["done"], work / "test" / "report"
    for name in REPORT:
        if (report / name).exists():
            shutil.copy(report / name, folder / "report")
    for name in ("generator", "verifier"):
        if name in done:
            record = json.loads((work / name / "assay.json").read_text(encoding="utf-8"))
            record["history"] = _thinned(record["history"])
            write_json(folder / "training" / f"{name}.json", record)
    for file in (work / "logs").glob("*.log"):
        text = file.read_text(encoding="utf-8", errors="replace")
        (folder / "logs" / file.name).write_text(text[-LOG_CHARACTERS:], encoding="utf-8")
    for file in (work / "bench").glob("*"):
        shutil.copy(file, folder / "bench")
    write_json(folder / "campaign.json", {**state, "given": dict(given)})
    if "test" in done:
        test = Run.open(work / "test")
        write_candidates(test, folder / "candidates.jsonl.gz")
        text = _result(work, state, given, test)
    else:
        text = _so_far(state)
    (folder / "result.md").write_text(text, encoding="utf-8")
    packed = work / "summary.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(folder, "summary")
    return packed.stat().st_size


def _thinned(history: Sequence[Any], most: int = 200) -> list[Any]:
    """At most about so many, evenly spaced."""
    return list(history[:: max(1, len(history) // most)])


def write_candidates(run: Run, path: Path) -> None:
    """Candidates of the first problems, best and worst by score, with values at their tokens."""
    first = [part for part in run.parts("answers") if part.index == 0]
    frame = load_frame(run, texts=True, parts=first)
    name = run.verifiers()[0]
    by_id = {problem.id: problem for problem in run.problems}
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        for place, (problem_id, rows) in enumerate(frame.groupby("problem_id", sort=False)):
            if place == PROBLEMS:
                break
            problem = by_id[str(problem_id)]
            ranked = rows.sort_values(f"score:{name}", ascending=False)
            half = CANDIDATES // 2
            shown = (
                ranked
                if len(ranked) <= CANDIDATES
                else ranked.iloc[[*range(half), *range(-half, 0)]]
            )
            candidates = [_candidate(row, name) for row in shown.to_dict("records")]
            line = {"id": problem.id, "question": problem.question, "reference": problem.answer,
                    "candidates": candidates}  # fmt: skip
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")


def _candidate(row: Mapping[Any, Any], verifier: str) -> dict[str, Any]:
    label = row["label"]
    texts = {name: row[name] for name in ("mode", "text", "answer", "outcome", "output")}
    return {
        **texts,
        "label": label if isinstance(label, bool) else None,
        "score": round(float(row[f"score:{verifier}"]), 3),
        "values": [round(float(value), 3) for value in row[f"values:{verifier}"]],
        "ends": [int(end) for end in row[f"ends:{verifier}"]],
    }


def greedy_accuracy(run: Run) -> dict[str, float]:
    """Share of problems whose greedy candidate is right, by mode."""
    frame = load_frame(run)
    right = frame["label"].fillna(False).astype(bool)
    return {str(mode): float(right[rows.index].mean()) for mode, rows in frame.groupby("mode")}


def headline(evaluation: Mapping[str, Any], greedy: Mapping[str, float]) -> str:
    """A table: greedy, and each rule at the largest n, with intervals and as multiples of greedy.

    Both modes together are compared with the better one's greedy accuracy.
    """
    greedy = {**greedy, "both": max(greedy.values())}
    sizes = evaluation["sizes"]
    columns = " | ".join(f"{mode}, n = {n}" for mode, n in sizes.items())
    lines = [
        f"| accuracy, % [95 % interval] | {columns} |",
        f"|---|{'---|' * len(sizes)}",
        f"| greedy | {' | '.join(f'{100 * greedy[mode]:.1f}' for mode in sizes)} |",
    ]
    for rule in RULES:
        cells = []
        for mode, n in sizes.items():
            found = [
                row for row in evaluation["accuracy"]
                if (row["rule"], row["modes"], row["n"]) == (rule, mode, n)
            ]  # fmt: skip
            if not found:
                cells.append("–")
                continue
            row = found[0]
            times = f", {row['accuracy'] / greedy[mode]:.2f} × greedy" if greedy[mode] else ""
            low, high = 100 * row["low"], 100 * row["high"]
            cells.append(f"{100 * row['accuracy']:.1f} [{low:.1f}, {high:.1f}]{times}")
        lines.append(f"| {rule.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _so_far(state: Mapping[str, Any]) -> str:
    """What stands in result.md before there is a result."""
    stages = "\n".join(f"- {name}: {json.dumps(about)}" for name, about in state["done"].items())
    return (
        "# GSM8K with 135M parameters: not done\n\n"
        f"`scripts/gpu/campaign.sh {state['command']}`\n\n{_machine()}; {_packages()}.\n\n"
        f"Stages done, {state['spent']:.0f} s in all:\n\n{stages}\n"
    )


def _packages() -> str:
    return ", ".join(f"{name} {version}" for name, version in versions().items())


def _result(work: Path, state: Mapping[str, Any], given: Mapping[str, str], test: Run) -> str:
    done, report = state["done"], test.path / "report"
    evaluation = json.loads((report / "evaluation.json").read_text(encoding="utf-8"))
    greedy = greedy_accuracy(Run.open(work / "greedy"))
    seconds = ", ".join(f"{name} {stage['seconds']:.0f}" for name, stage in done.items())
    lines = [
        "# GSM8K with 135M parameters",
        f"`scripts/gpu/campaign.sh {state['command']}`",
        f"{_machine()}; {_packages()}.",
        headline(evaluation, greedy),
        _sizes(done, load_frame(Run.open(work / "pool")), load_frame(test)),
        f"Seconds of each stage: {seconds}; {state['spent']:.0f} in all, "
        f"of {60 * float(given['minutes']):.0f}.",
        "Benchmarks (bench/, logs/):",
        "\n".join(f"- {name}: {outcome}" for name, outcome in state["benches"].items()),
        f"```\n{(report / 'table.txt').read_text(encoding='utf-8').rstrip()}\n```",
    ]
    return "\n\n".join(lines) + "\n"


def _sizes(done: Mapping[str, Any], pool: pd.DataFrame, test: pd.DataFrame) -> str:
    """What was planned, and what there was time for."""
    plan, generator = done["plan"], done["generator"]
    return "\n".join(
        [
            f"- Generator: {generator['epochs']} epochs over {generator['problems']} problems.",
            f"- Verifier: {pool['problem_id'].nunique()} problems, {len(pool)} candidates; planned "
            f"were {plan['problems']} problems with {plan['samples']} each. Trained on at most "
            f"{done['verifier']['samples']} of a problem.",
            f"- Test: {test['problem_id'].nunique()} problems, {done['test']['samples']} samples "
            f"each; planned were {plan['test_samples']}.",
        ]
    )


def _machine() -> str:
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name(0)}, {processor()}"
    return f"no GPU, {processor()}, {torch.get_num_threads()} threads"
