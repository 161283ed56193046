#!/usr/bin/env bash
# What sampling costs on a CUDA GPU: Assay's engine, `generate` and Transformers' continuous
# batching, for the shapes of SmolLM2-135M and of Llama 3.2 1B, random weights, bfloat16.
#
#   scripts/gpu/sampling.sh [key=value …]    # some minutes; writes docs/results/sampling_gpu.{json,md}
#   scripts/gpu/sampling.sh --rehearse       # tiny sizes on a CPU: whether it all runs
#
# Needs torch 2.11 or newer and transformers 5; no network, no data. PYTHON names the interpreter.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec "${PYTHON:-python}" scripts/gpu/sampling.py "$@"
