#!/usr/bin/env bash
# usage: ci/drift.sh ENVIRONMENT
# Fails if some instance is not known to have what the inventory wants. Needs what ci/plan.sh needs.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=${1:?usage: ci/drift.sh ENVIRONMENT}

ansible-playbook -i "inventories/$environment" drift.yml -e "$(python ci/vars.py video_setting_fail_on_drift=true)"
