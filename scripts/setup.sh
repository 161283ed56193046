#!/usr/bin/env bash
# Makes a virtual environment with Assay in it. Called by quickstart.sh and test.sh.
#
#   scripts/setup.sh ENVIRONMENT [EXTRAS]        e.g. scripts/setup.sh .venv  or  .venv-test dev
#
# torch comes first and alone, at an exact version: on a machine without a GPU a looser demand
# brings gigabytes of CUDA libraries along. Variables:
#   PYTHON       the interpreter to build on (default python3; 3.10 or newer)
#   ASSAY_TORCH  what to install as torch: for a GPU, say
#                ASSAY_TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cu130"
set -euo pipefail
cd "$(dirname "$0")/.."

environment=${1:?usage: scripts/setup.sh ENVIRONMENT [EXTRAS]}
extras=${2:-}
python=${PYTHON:-python3}

"$python" - <<'PY' || { echo "Assay needs Python 3.10 or newer (set PYTHON=…)" >&2; exit 2; }
import sys
sys.exit(sys.version_info < (3, 10))
PY

# What is installed is decided by these files; as long as they stay the same, so does the environment.
stamp=$(cat pyproject.toml constraints.txt "$0" | cksum)-${ASSAY_TORCH:-cpu}-$extras
if [ -x "$environment/bin/assay" ] && [ "$(cat "$environment/.assay-setup" 2>/dev/null)" = "$stamp" ]; then
  exit 0
fi

echo "Setting up $environment (a few minutes, about 2 GB) …" >&2
[ -x "$environment/bin/python" ] || "$python" -m venv "$environment"
pip() { "$environment/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }
# shellcheck disable=SC2086  # ASSAY_TORCH may hold options
pip install --quiet ${ASSAY_TORCH:-torch==2.13.0}
pip install --quiet --constraint constraints.txt --editable ".${extras:+[$extras]}"
echo "$stamp" > "$environment/.assay-setup"
