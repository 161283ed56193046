#!/usr/bin/env bash
# From nothing to verified answers: sets up .venv, then trains, samples, verifies and votes.
#
#   ./scripts/quickstart.sh [key=value …]        e.g. ./scripts/quickstart.sh output=runs/second
#
# Needs Python 3.10 or newer and PyPI. Run again it reuses what is there; interrupted, it goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh .venv
exec .venv/bin/assay quickstart "$@"
