#!/usr/bin/env bash
# What scripts/test.sh has no time or no packages for: tests with Ray, DeepSpeed, bitsandbytes and a
# browser, which skip where their package is missing; then those marked `full`, of all folders.
#
#   ./scripts/test_all.sh [pytest arguments]     e.g. ./scripts/test_all.sh tests/search/test_on_ray.py
#
# Installs the extra `dev-all` into an environment of its own (ASSAY_TEST_ENV, default
# .venv-test-all), which is kept. The tests of the report's page want Chromium or Chrome on the PATH
# (Debian and Ubuntu: `apt-get install chromium`), those of Slurm its programs; both are told at the
# beginning where they are missing, and every test that skips is listed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=${ASSAY_TEST_ENV:-.venv-test-all}
# DeepSpeed is built here, beside the torch that it will use, and compiles nothing before it is used.
export DS_BUILD_OPS=0
scripts/setup.sh "$environment" dev-all
for program in chromium sbatch; do
  command -v "$program" > /dev/null || echo "$program: not on the PATH; its tests will skip" >&2
done
export OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
run() {
  "$environment/bin/python" -m pytest -n "${ASSAY_TEST_WORKERS:-2}" --dist loadfile \
    --no-loadscope-reorder --durations=15 -rs "$@"
}
if [ $# -gt 0 ]; then
  run "$@"
  exit
fi
failed=0
run tests/search/test_on_ray.py tests/evaluation/test_report_browser.py \
  tests/search/test_slurm_real.py tests/generator/test_train_parallel.py \
  tests/generator/test_train_lora.py tests/verifier/test_verifier_parallel.py \
  tests/test_configs.py || failed=1
run -m full tests || failed=1
exit $failed
