#!/usr/bin/env bash
# A round of rejection sampling for the small solver: the base learns its training data again, and
# beside it the right programs of the chain's pools, each calculation once (docs/rejection_sampling.md).
#
#   scripts/small_solver/rft.sh OUT WORK MODEL CHAIN …
#
# OUT    folder of the new adapter; `chain.sh` with it and another folder goes on from there
# WORK   folder of train.sh: its data are the references
# MODEL  SmolLM2-135M-Instruct
# CHAIN  folders of chain.sh whose pools are graded, of all rounds before
#
# PYTHON in the environment. The same command goes on where the last one was. The curriculum is kept:
# what was sampled of a problem stands right behind it.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" TOKENIZERS_PARALLELISM=false
out=$1 work=$2 model=$3
shift 3
pools=$(printf ',%s/pool' "$@")
"${PYTHON:-python3}" -m assay train-generator scripts/small_solver/generator.yaml "output=$out" \
    "model.name=$model" "problems.path=$work/data/train.jsonl" "pools=[${pools:1}]" \
    rejection.per_problem=4 rejection.easy=0.9
