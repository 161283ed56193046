#!/usr/bin/env bash
# What the verifier costs on a CUDA GPU: attention over packs three ways, then training on packs
# beside the literal recipe, in bfloat16, with sizes that fill a large GPU (80 GB and more).
#
#   scripts/gpu/verifier.sh            # about ten minutes
#   scripts/gpu/verifier.sh cpu        # tiny sizes on a CPU: whether it all runs
#
# Needs torch 2.6 or newer, transformers 5 and accelerate 1.10; no network, no data. PYTHON names
# the interpreter.
set -euo pipefail
cd "$(dirname "$0")/../.."
python="${PYTHON:-python}"

"$python" - <<'CHECK' || exit 2
import importlib.metadata as packages, sys
needed = {"torch": (2, 6), "transformers": (5, 0), "accelerate": (1, 10)}
for name, least in needed.items():
    try:
        found = packages.version(name)
    except packages.PackageNotFoundError:
        sys.exit(f"{name}: not installed, expected {least[0]}.{least[1]} or newer")
    print(name, found)
    if tuple(int(part) for part in found.split(".")[:2]) < least:
        sys.exit(f"{name} {found}: expected {least[0]}.{least[1]} or newer")
CHECK

if [ "${1:-cuda}" = cpu ]; then
    "$python" scripts/gpu/attention.py device=cpu dtype=float32 tokens=512 packs=2 heads=2 \
        size=16 repeats=1
    exec "$python" scripts/bench/verifier_train.py model=embedded samples=4 repeats=1
fi
for tokens in 4096 16384; do
    "$python" scripts/gpu/attention.py tokens="$tokens"
done
for pack in 1024 4096; do
    "$python" scripts/bench/verifier_train.py model=d2048 device=cuda dtype=bfloat16 \
        pack_tokens="$pack" micro_batch_tokens=16384 repeats=5
done
