#!/usr/bin/env bash
# usage: ci/plan.sh ENVIRONMENT
# Makes the plan, and leaves in plan/ENVIRONMENT: plan.json, plan.md (for people) and digest (what an approval names).
# Needs KOOPHONE_STATE_URL, of a role that may only read; no credentials for the service, and no vault password.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=${1:?usage: ci/plan.sh ENVIRONMENT}

folder=$PWD/plan/$environment
rm -rf "$folder"
mkdir -p "$folder"
ansible-playbook -i "inventories/$environment" plan.yml -e "$(python ci/vars.py plan_file="$folder/plan.json")"
python ci/render.py "$environment"
