#!/usr/bin/env bash
# The small solver from the generator's adapter to what is shipped, in parts that may be stopped at
# any moment: first looks, pool, verifier, held-out pool, ranker, rule, tests, card.
#
#   scripts/small_solver/chain.sh CHAIN ADAPTER [MODEL] [GSM8K] [EVALUATION] [DATA]
#
# CHAIN       folder of everything that is made here
# ADAPTER     the generator's: a finished training or a snapshot of one
# MODEL       SmolLM2-135M-Instruct                 (default models/smollm2-135m-instruct)
# GSM8K       folder with train.jsonl, test.jsonl   (default data/gsm8k)
# EVALUATION  folder with svamp.jsonl               (default data/eval)
# DATA        what the generator was trained on     (default runs/small_solver/data/train.jsonl)
#
# In the environment, with their defaults: POOL=1000 problems × SAMPLES=8 for the verifier, HELD=400
# problems × TEST_SAMPLES=16 for ranker and rule, TESTS=100 problems of SVAMP and of GSM8K (0: all) ×
# TEST_SAMPLES and the 50 plain questions × TEST_SAMPLES, N=16 candidates that the rule is chosen for,
# WORKERS=1 processes, UNTIL=looks (or pool, verifier, choice) to stop after that, PYTHON.
#
# The same command goes on where the last one was. Where all of it is done,
#   python -m scripts.small_solver.ship all --chain CHAIN --model MODEL
# puts it into the package.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" TOKENIZERS_PARALLELISM=false
chain=$1 adapter=$2
model=${3:-models/smollm2-135m-instruct}
gsm8k=${4:-data/gsm8k}
evaluation=${5:-data/eval}
data=${6:-runs/small_solver/data/train.jsonl}
samples=${SAMPLES:-8} test_samples=${TEST_SAMPLES:-16} n=${N:-16} workers=${WORKERS:-1}
python=${PYTHON:-python3}
assay=("$python" -m assay)
mkdir -p "$chain"

sample() { # RUN SET SAMPLES
    "${assay[@]}" sample "$chain/$1" problems.name=jsonl "problems.path=$chain/sets/$2.jsonl" \
        "generator.name=$chain/generator" generator.dtype=float32 modes.cot=0 "modes.pot=$3" \
        sampling.temperature=0.7 sampling.max_new_tokens=160 problems_per_part=20 "workers=$workers"
    "${assay[@]}" grade "$chain/$1"
}
until_here() { # NAME
    if [ "${UNTIL:-}" = "$1" ]; then exit 0; fi
}

"$python" -m scripts.small_solver.ship generator --adapter "$adapter" --model "$model" \
    --chain "$chain"
if [ ! -e "$chain/sets/gsm8k.jsonl" ]; then
    "$python" -m scripts.small_solver.sets --out "$chain/sets" --gsm8k "$gsm8k" \
        --evaluation "$evaluation" --data "$data" --pool "${POOL:-1000}" --held "${HELD:-400}" \
        --tests "${TESTS:-100}"
fi
for set in plain svamp gsm8k; do
    sample "$set" "$set" "$test_samples"
    "${assay[@]}" evaluate "$chain/$set" | tee "$chain/$set.generator.txt"
done
until_here looks

sample pool pool "$samples"
until_here pool
"${assay[@]}" train-verifier scripts/small_solver/verifier.yaml "output=$chain/trained" \
    "pools=[$chain/pool]" "model.base.name=$chain/generator"
"$python" -m scripts.small_solver.ship verifier --chain "$chain"
until_here verifier

sample held held "$test_samples"
"${assay[@]}" score "$chain/held" "verifier=$chain/verifier" "workers=$workers"
"${assay[@]}" train-ranker "output=$chain/ranker" "pools=[$chain/held]" verifiers=[verifier]
"${assay[@]}" choose-rule "$chain/held" "n=$n" "output=$chain/choice.json" | tee "$chain/choice.txt"
until_here choice

for set in plain svamp gsm8k; do
    "${assay[@]}" score "$chain/$set" "verifier=$chain/verifier" "workers=$workers"
    "${assay[@]}" score "$chain/$set" "ranker=$chain/ranker"
    "${assay[@]}" evaluate "$chain/$set" | tee "$chain/$set.txt"
    "${assay[@]}" report "$chain/$set"
done
"$python" -m scripts.small_solver.card --chain "$chain"
