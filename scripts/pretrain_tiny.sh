#!/usr/bin/env bash
# Make the embedded tiny model from nothing: its tokenizer, then its pre-training by curriculum.
#
#   scripts/pretrain_tiny.sh [OUT] [WORK] [MINUTES]
#
# OUT      the model folder                      (default generator/embedded)
# WORK     checkpoints and log.txt, resumable    (default /tmp/pretrain_tiny)
# MINUTES  time budget on one core               (default 69)
#
# One thread, no network, no data: the corpus is written on the fly by scripts/pretrain_tiny/.
# Started again with the same WORK, it goes on where the last checkpoint was. An OUT that already
# holds a tokenizer keeps it.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-generator/embedded}
work=${2:-/tmp/pretrain_tiny}
minutes=${3:-69}
python=${PYTHON:-python}

export OMP_NUM_THREADS=1 RAYON_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
export TORCHINDUCTOR_COMPILE_THREADS=1 HF_HUB_OFFLINE=1

mkdir -p "$out" "$work"
if [[ ! -f $out/tokenizer.json ]]; then
    "$python" scripts/pretrain_tiny/tokenizer.py --out "$out"
fi
"$python" scripts/pretrain_tiny/train.py --out "$out" --work "$work" --minutes "$minutes"
tail -n 1 "$work/log.txt"
