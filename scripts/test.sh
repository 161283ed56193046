#!/usr/bin/env bash
# Everything that has to pass: ruff, mypy and the tests, in a fresh virtual environment. Tests marked
# `full` (ten thousand programs, a busy machine, a download) are left out: `-m full` runs them alone,
# `-m ""` all.
#
#   ./scripts/test.sh [pytest arguments]         e.g. ./scripts/test.sh -m "not slow"
#
# ASSAY_TEST_ENV names the environment (default .venv-test); it is made anew each time unless
# ASSAY_TEST_KEEP is set.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=${ASSAY_TEST_ENV:-.venv-test}
[ -n "${ASSAY_TEST_KEEP:-}" ] || rm -rf "$environment"
scripts/setup.sh "$environment" dev
bin=$environment/bin
"$bin/ruff" check .
"$bin/ruff" format --check .
"$bin/mypy"
# One thread a process: two test processes of one thread each beat one of two.
export OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
# Hundreds of processes import the project: none need compile it again.
unset PYTHONDONTWRITEBYTECODE
exec "$bin/python" -m pytest -m "not full" -n "${ASSAY_TEST_WORKERS:-2}" --dist loadfile \
  --no-loadscope-reorder --durations=15 "$@"
