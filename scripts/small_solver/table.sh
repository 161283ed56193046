#!/usr/bin/env bash
# A first look: programs for some problems of SVAMP, of GSM8K and for the plain questions, with the
# table of rules for each.
#
#   scripts/small_solver/table.sh WORK GSM8K EVALUATION [GENERATOR] [PROBLEMS] [SAMPLES]
#
# GENERATOR is WORK/generator unless told otherwise (a snapshot, for example); PROBLEMS (100) of each
# set are drawn, the same ones every time; SAMPLES (8) programs are written for each. Runs are in
# WORK/tables/GENERATOR's name/; the same command goes on where it was. SETS="plain svamp" in the
# environment leaves out the others.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" TOKENIZERS_PARALLELISM=false
work=$1 gsm8k=$2 evaluation=$3
generator=${4:-$work/generator}
problems=${5:-100}
samples=${6:-8}
assay=("${PYTHON:-python3}" -m assay)

for set in ${SETS:-plain svamp gsm8k}; do
    case $set in
    plain) from=("problems.name=jsonl" "problems.path=scripts/small_solver/questions.jsonl") ;;
    svamp) from=("problems.name=jsonl" "problems.path=$evaluation/svamp.jsonl") ;;
    gsm8k) from=("problems.name=gsm8k" "problems.path=$gsm8k" "problems.split=test") ;;
    esac
    if [ "$set" != plain ]; then
        from+=("problems.shuffle=true" "problems.limit=$problems")
    fi
    run=$work/tables/$(basename "$generator")/$set
    "${assay[@]}" sample "$run" "${from[@]}" "generator.name=$generator" generator.dtype=float32 \
        modes.cot=0 "modes.pot=$samples" sampling.temperature=0.7 sampling.max_new_tokens=160 \
        problems_per_part=10 workers=1
    "${assay[@]}" grade "$run"
    "${assay[@]}" evaluate "$run" | tee "$run/table.txt"
done
