#!/usr/bin/env bash
# Installs what the other scripts need, in the versions that are pinned here.
set -euo pipefail
cd "$(dirname "$0")/.."

python -m pip install --quiet --disable-pip-version-check -r requirements.txt
ansible-galaxy collection install -r requirements.yml
