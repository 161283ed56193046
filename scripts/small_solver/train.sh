#!/usr/bin/env bash
# The small solver from nothing to a table, in parts that may be stopped at any moment.
#
#   scripts/small_solver/train.sh [WORK] [MODEL] [GSM8K] [EVALUATION]
#
# WORK        data, checkpoints, logs and pools     (default runs/small_solver)
# MODEL       SmolLM2-135M-Instruct                 (default models/smollm2-135m-instruct)
# GSM8K       folder with train.jsonl, test.jsonl   (default data/gsm8k)
# EVALUATION  folder of evaluation sets, .jsonl     (default data/eval)
#
# In the environment: TOKENS of training data (1500000), PROBLEMS of each set (100) and SAMPLES (8) of
# the tables, PYTHON.
#
# The same command goes on where the last one was: finished parts are found, the training resumes
# from its last checkpoint (at most three minutes old), sampling from its last part.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" TOKENIZERS_PARALLELISM=false
work=${1:-runs/small_solver}
model=${2:-models/smollm2-135m-instruct}
gsm8k=${3:-data/gsm8k}
evaluation=${4:-data/eval}
python=${PYTHON:-python3}
assay=("$python" -m assay)

if [ "$model" != embedded ] && [ ! -e "$model/config.json" ]; then
    "${assay[@]}" fetch smollm2-135m-instruct "to=$model"
fi
if [ ! -e "$work/data/data.json" ]; then
    "$python" -m scripts.small_solver.corpus \
        --out "$work/data" --gsm8k "$gsm8k" --evaluation "$evaluation" \
        --tokens "${TOKENS:-1500000}"
fi
"${assay[@]}" check-contamination problems.name=jsonl "problems.path=$work/data/train.jsonl" \
    "against=[$evaluation,$gsm8k/test.jsonl,scripts/small_solver/questions.jsonl]" \
    >"$work/contamination.txt"
"${assay[@]}" train-generator scripts/small_solver/generator.yaml "output=$work/generator" \
    "model.name=$model" "problems.path=$work/data/train.jsonl"
PYTHON=$python scripts/small_solver/table.sh "$work" "$gsm8k" "$evaluation" "$work/generator" \
    "${PROBLEMS:-100}" "${SAMPLES:-8}"
