#!/usr/bin/env bash
# usage: ci/apply.sh ENVIRONMENT DIGEST
# Applies the plan with that digest, or refuses before anything is sent.
# Needs KOOPHONE_STATE_URL, of a role that may write, and ANSIBLE_VAULT_PASSWORD for the credentials in vault/.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=${1:?usage: ci/apply.sh ENVIRONMENT DIGEST}
digest=${2:?usage: ci/apply.sh ENVIRONMENT DIGEST}

if [[ ! $digest =~ ^[0-9a-f]{64}$ ]]; then
  echo "\"$digest\" is not the digest of a plan; nothing was applied." >&2
  exit 2
fi
vault=vault/$environment.yml
if [[ $(head -n 1 "$vault") != "\$ANSIBLE_VAULT;"* ]]; then
  echo "$vault is not encrypted; nothing was applied. Its secrets are known to all who see this repository." >&2
  exit 2
fi

ansible-playbook -i "inventories/$environment" apply.yml \
  --vault-id "$environment@ci/vault-password" -e "@$vault" \
  -e "$(python ci/vars.py video_setting_approved_plan="$digest" video_setting_require_approval=true)" || {
  status=$?
  echo "Not everything was applied; the reason is above. docs/recovery.md of koophone.fleet tells what to do." >&2
  exit "$status"
}
