# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options for reaching the API; their specification is `connection_spec()` in module_utils/_arguments.py."""

    DOCUMENTATION = r"""
requirements:
  - requests >= 2.28
options:
  endpoint:
    description:
      - Address of the KooPhone API.
      - If not given, the environment variable E(KOOPHONE_ENDPOINT) is used where the module runs, and set to an empty
        string it counts as unset; so do the variables named below.
    type: str
    default: https://koophone.myhuaweicloud.com
  auth_token:
    description:
      - Tenant-level token, sent as C(X-Auth-Token).
      - If not given, E(KOOPHONE_AUTH_TOKEN) is used. Check mode needs no credentials.
    type: str
  insecure_skip_tls_verify:
    description:
      - Don't verify the certificate of the endpoint. Anybody on the way can then read the token.
      - If not given, E(KOOPHONE_INSECURE_SKIP_TLS_VERIFY) is used.
    type: bool
    default: false
  ca_path:
    description:
      - File or folder with the certificates of the authorities to trust instead of the system's.
      - If not given, E(KOOPHONE_CA_PATH) is used.
    type: path
  timeout:
    description:
      - Seconds for one try of a request as a whole, from connecting to the last byte of the answer.
      - If not given, E(KOOPHONE_TIMEOUT) is used.
    type: float
    default: 30.0
  retries:
    description:
      - How many further times a request is tried that failed in passing (throttled, no connection, time-out, HTTP 5xx).
        The time between tries grows exponentially, and respects C(Retry-After).
      - If not given, E(KOOPHONE_RETRIES) is used.
    type: int
    default: 5
  concurrency:
    description:
      - How many requests are in flight at the most.
      - If not given, E(KOOPHONE_CONCURRENCY) is used.
    type: int
    default: 8
"""
