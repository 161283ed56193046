r"""The report of a large run: how long it takes, how large it is, how soon its page shows.

    python scripts/bench/report.py [problems=1319] [candidates=100] [tokens=120] [seed=0] [folder=…]

The run is made up: half CoT, half PoT candidates of words drawn with GSM8K-like frequencies, scored
with a value at each token. It is written as parts, as the stages write them, and reported by
`assay report`'s own code. Where Chromium is found, the page is opened from disk: the time to the
drawn page (navigation to load event) and from pressing a problem to its coloured tokens.
"""

from __future__ import annotations

import json
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from assay.evaluation.report.report import ReportConfig, run_report  # noqa: E402
from assay.pools.rows import (  # noqa: E402
    Candidate,
    Graded,
    answers_table,
    candidates_table,
    scores_table,
)
from assay.pools.run import Part, Run  # noqa: E402
from assay.problems.problem import Problem  # noqa: E402
from assay.settings.schema import load  # noqa: E402
from scripts.bench.machine import machine  # noqa: E402

TEXT = """the a of to and is in so he she they has have each total number times dollars hours apples
eggs cost costs sells bought per day week = + - * / 2 3 4 5 6 10 12 15 20 24 48 100 more less than
left first then therefore answer because half twice remaining many how much altogether"""
WORDS = TEXT.split()
PER_PART = 64

DRIVER = """<script>
const found = {}, hold = () => {
  if (found.open) return;
  const script = document.createElement("script");
  script.onload = hold;
  script.src = "data:text/javascript,";
  document.head.append(script);
};
addEventListener("DOMContentLoaded", () => requestAnimationFrame(() => {
  found.drawn = performance.now();
  document.querySelector(".problem > button").click();
  const watch = () => {
    if (!document.querySelector(".t")) return setTimeout(watch, 1);
    document.body.offsetHeight;
    found.open = performance.now() - found.drawn;
    document.body.replaceChildren(JSON.stringify(found));
  };
  watch();
}));
hold();
</script>"""


@dataclass
class Settings:
    """What is reported."""

    problems: int = 1319
    candidates: int = 100
    tokens: int = 120
    """mean number of tokens of a candidate"""
    seed: int = 0
    folder: str = ""
    """where to keep the run; empty = nowhere"""


def main() -> None:
    """Prints seconds and sizes."""
    settings = load(Settings, sys.argv[1:])
    print(machine())
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(settings.folder or temporary) / "synthetic"
        started = time.perf_counter()
        if not (folder / "run.json").exists():
            make_run(folder, settings)
            print(f"the run was made in {time.perf_counter() - started:.0f} s")
        started = time.process_time()  # of this process: others do not count
        run_report(ReportConfig(run=str(folder), candidates=0))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"reported in {time.process_time() - started:.1f} s of CPU time, {peak:.1f} GB")
        report = folder / "report"
        data = [file.stat().st_size for file in report.glob("data-*/*")]
        print(f"page {(report / 'index.html').stat().st_size / 1e6:.2f} MB")
        if data:
            print(
                f"data {sum(data) / 1e6:.1f} MB in {len(data)} files of up to "
                f"{max(data) / 1e6:.2f} MB"
            )
        open_page(report / "index.html")


def make_run(folder: Path, settings: Settings) -> Run:
    """A complete run, with a value of a verifier "v" at every token."""
    draw = random.Random(settings.seed)
    problems = [
        Problem(f"p{i:05d}", " ".join(draw.choices(WORDS, k=45)) + "?", str(draw.randint(1, 999)))
        for i in range(settings.problems)
    ]
    run = Run.open_or_create(folder, problems)
    for stage in ("candidates", "answers", "scores/v"):
        run.register(stage, {"problems_per_part": PER_PART, "made_up": settings.seed}, {})
    half = settings.candidates // 2
    for index in range(-(-len(problems) // PER_PART)):
        for mode in ("cot", "pot"):
            part = Part(index, mode, 0, half)
            asked = [(p, s) for p in run.slice(part) for s in range(half)]
            write_part(run, part, asked, settings.tokens, draw)
    return run


def write_part(
    run: Run, part: Part, asked: list[tuple[Problem, int]], tokens: int, draw: random.Random
) -> None:
    """Candidates, answers and scores of (problem, sample)."""
    candidates, graded, scores = [], [], []
    for problem, sample in asked:
        words = draw.choices(WORDS, k=max(5, round(draw.gauss(tokens, tokens / 3))))
        ends = np.cumsum([len(word) + 1 for word in words]) - 1
        starts = np.concatenate([[0], ends[:-1]])
        right = draw.random() < hash_share(problem.id)
        number = 0 if right else 1 + min(int(draw.expovariate(0.5)), 20)
        answer = str(int(problem.answer or 0) + number)
        drift = np.cumsum(np.random.default_rng(sample).normal(0, 0.03, len(words)))
        values = np.clip(0.5 + drift + (0.15 if right else -0.15), 0, 1)
        name = {"problem_id": problem.id, "mode": part.mode, "sample": sample}
        candidates.append(
            Candidate(
                **name,
                text=" ".join(words),
                token_ids=[WORDS.index(word) for word in words],
                tokens=len(words) + 1,
                prompt_tokens=60,
                logprob=-0.5 * len(words),
                stop="eos",
            )
        )
        ran = ("ok", f"{answer}\n", "") if part.mode == "pot" else ("", "", "")
        graded.append(Graded(*ran, 0.0, answer, "hash", number, right))
        scores.append(
            {**name, "score": values[-1], "values": values, "starts": starts, "ends": ends}
        )
    run.write("candidates", part, candidates_table(candidates), 1.0)
    run.write("answers", part, answers_table(candidates, graded), 1.0)
    run.write("scores/v", part, scores_table(scores, values=True), 1.0)


def hash_share(problem_id: str) -> float:
    """How many of a problem's candidates are right: spread evenly over the problems."""
    return (int(problem_id[1:]) * 0.6180339887) % 1


def open_page(page: Path) -> None:
    """Opens the page in headless Chromium and prints how soon it shows."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("no Chromium on this machine: the page was not opened")
        return
    driven = page.with_name("driven.html")
    text = page.read_text(encoding="utf-8")
    driven.write_text(text.replace("</title>", "</title>" + DRIVER, 1), encoding="utf-8")
    times = []
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu"]
        command += [f"--user-data-dir={profile}", "--dump-dom", driven.as_uri()]
        for _ in range(4):
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
            body = re.search(r"<body>(.*?)</body>", done.stdout, re.S)
            assert body is not None, done.stdout[:200]
            found: dict[str, Any] = json.loads(body[1])
            times.append(found)
    driven.unlink()
    for name, what in (("drawn", "the page is drawn"), ("open", "a pressed problem is coloured")):
        values = sorted(each[name] for each in times[1:])  # the first also starts the browser
        print(f"{what} after {values[1]:.0f} ms (median of 3)")


if __name__ == "__main__":
    main()
