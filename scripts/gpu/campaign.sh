#!/usr/bin/env bash
# The paper's experiment at 135M parameters, in 25 minutes of one NVIDIA GPU: SmolLM2-135M fine-tuned
# on GSM8K, sampled, verified, tested on all 1319 test problems; then the benchmarks against peers.
#
#   scripts/gpu/campaign.sh model=models/smollm2-135m-instruct data=data/gsm8k minutes=25
#   scripts/gpu/campaign.sh … seconds=540     # in pieces: the same command until it exits with 0
#   scripts/gpu/campaign.sh --rehearse        # tiny sizes on a CPU, minutes: whether it all runs
#
# Needs no network. What it does with the time, its keys and exit codes: scripts/gpu/campaign.py.
# PYTHON names the interpreter; packages that it lacks can lie in a folder on PYTHONPATH.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec "${PYTHON:-python}" scripts/gpu/campaign.py "$@"
