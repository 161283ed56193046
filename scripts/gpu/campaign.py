r"""The campaign: the paper's experiment with a 135M model on GSM8K, inside a budget of minutes.

    python scripts/gpu/campaign.py [work=runs/gsm8k_135m] [model=models/smollm2-135m-instruct]
        [data=data/gsm8k] [minutes=25] [seconds=0] [bench_minutes=4] [workers=4,8]
        [probe_problems=256] [problems=0] [tests=0] [device=cuda]
    python scripts/gpu/campaign.py --rehearse [key=value …]    # tiny, on a CPU, data made up

`model` is a Hugging Face folder, a GGUF file, or a GGUF file in pieces: where models/x.gguf is not
there but models/x.gguf.aa, … are (`split -b 47M x.gguf x.gguf.`), they are joined. Pieces may come
in different calls: each is kept in the work folder until the whole has the SHA-256 that is known.
`data` holds GSM8K's train.jsonl and test.jsonl. `problems` and `tests` take so many of them.

Stages, each once, in this order; the settings are those of configs/gsm8k_135m:

    base        the model as a folder
    generator   a probe of 4 × `probe_problems` problems, then the training: at most 20 % of
                `minutes`, or fewer epochs, or fewer problems
    probe       samples, grades, trains a verifier and scores on `probe_problems` problems, with
                each number of `workers` (processes that sample on one GPU, and score); the faster
                one counts
    plan        the largest size of `campaign_plan.LADDER` that fits into what is left, less
                `bench_minutes` and one minute for the summary
    pool        samples and grades the verifier's training problems; what is not there after one
                and a half times the time planned is left out (problems, in both modes)
    verifier    on as many samples of each problem as there is time for
    greedy      one candidate of each test problem and mode at temperature 0
    test        as many samples of each test problem as there is time for; report
    bench       against peers: sampling, scoring, training of generator and verifier
    summary     WORK/summary and WORK/summary.tar.gz, a few hundred kilobytes; a call that ends
                earlier, for whatever reason, writes them too, with what there is

`minutes` count over all calls, the pauses between them not. With `seconds` a call ends after so
many, in the middle of a stage if need be, and the same command goes on there: the stages are
Assay's own commands, which keep what is finished. The work folder must be carried over.

Exit codes: 0 done, 2 something is missing or failed (one line says what), 3 not done yet.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# In the place of this folder.
sys.path[0] = str(ROOT)

from assay.settings.errors import UserError  # noqa: E402
from scripts.gpu.campaign_machine import check_machine  # noqa: E402
from scripts.gpu.campaign_stages import Stages  # noqa: E402
from scripts.gpu.campaign_state import Campaign, OutOfTimeError  # noqa: E402

DEFAULTS = {
    "work": "runs/gsm8k_135m",
    "model": "models/smollm2-135m-instruct",
    "data": "data/gsm8k",
    "minutes": "25",
    "seconds": "0",
    "bench_minutes": "4",
    "workers": "4,8",
    "probe_problems": "256",
    "problems": "0",
    "tests": "0",
    "device": "cuda",
}
REHEARSAL = {
    "work": "runs/gsm8k_135m_rehearsal",
    "model": "embedded",
    "data": "",
    "minutes": "8",
    "bench_minutes": "2.5",
    "workers": "1",
    "probe_problems": "4",
    "device": "cpu",
}


def main() -> int:
    # Started in the background by a shell, this process ignores Ctrl-C, and so would its stages.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    words = sys.argv[1:]
    rehearse = "--rehearse" in words
    words = [word for word in words if word != "--rehearse"]
    known = {**DEFAULTS, **(REHEARSAL if rehearse else {})}
    given = dict(word.split("=", 1) for word in words if "=" in word)
    unknown = [word for word in words if word.split("=", 1)[0] not in known or "=" not in word]
    if unknown:
        raise UserError(f"unknown: {', '.join(unknown)}; expected key=value of {', '.join(known)}")
    campaign = Campaign({**known, **given}, rehearse=rehearse)
    campaign.state["command"] = " ".join(sys.argv[1:])
    if "summary" not in campaign.state["done"]:
        check_machine(campaign.given, campaign.work)
    stages = Stages(campaign)
    done = False
    try:
        for name, work in stages.all().items():
            campaign.stage(name, work)
        done = True
    except (OutOfTimeError, KeyboardInterrupt):
        print(f"not done yet: the same command goes on in {campaign.work}", flush=True)
        return 3
    finally:
        campaign.save()
        if not done:
            stages.summary_so_far()
    print((campaign.work / "summary" / "result.md").read_text(encoding="utf-8"))
    print(f"summary: {campaign.work / 'summary.tar.gz'}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        print(f"campaign: {error}", file=sys.stderr)
        sys.exit(2)
