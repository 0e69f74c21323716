# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options for reaching the API; their specification is `connection_spec()` in module_utils/_arguments.py."""

    DOCUMENTATION = r"""
requirements:
  - requests >= 2.28
  - huaweicloudsdkcore >= 3.1.60, to sign requests with an access key
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
      - Credentials are looked for in this order, and what is given first is used; O(auth_token); O(username) with
        O(password), O(domain_name) and O(project_name); O(access_key) with O(secret_key). Without any of them the
        vendor's provider chain is asked (environment variables C(HUAWEICLOUD_SDK_AK) and C(HUAWEICLOUD_SDK_SK), the
        profile file C(~/.huaweicloud/credentials), the metadata service of a cloud server).
      - If not given, E(KOOPHONE_AUTH_TOKEN) is used. Check mode needs no credentials.
    type: str
  username:
    description:
      - Name of the IAM user that a token is to be had for. The token is kept for the run, and renewed when it expires.
      - If not given, E(KOOPHONE_USERNAME) is used.
    type: str
  password:
    description:
      - Password of O(username).
      - If not given, E(KOOPHONE_PASSWORD) is used.
    type: str
  domain_name:
    description:
      - Name of the IAM domain (account) that O(username) belongs to.
      - If not given, E(KOOPHONE_DOMAIN_NAME) is used.
    type: str
  project_name:
    description:
      - Name of the project that the token is for, as a rule that of a region, such as V(cn-north-4).
      - If not given, E(KOOPHONE_PROJECT_NAME) is used.
    type: str
  iam_endpoint:
    description:
      - Address of IAM, or of a region's, such as V(https://iam.cn-north-4.myhuaweicloud.com).
      - If not given, E(KOOPHONE_IAM_ENDPOINT) is used.
    type: str
    default: https://iam.myhuaweicloud.com
  access_key:
    description:
      - Access key (AK) that requests are signed with. This needs the Python library C(huaweicloudsdkcore).
      - If not given, E(KOOPHONE_ACCESS_KEY) is used.
    type: str
  secret_key:
    description:
      - Secret key (SK) of O(access_key).
      - If not given, E(KOOPHONE_SECRET_KEY) is used.
    type: str
  security_token:
    description:
      - Security token that temporary keys come with.
      - If not given, E(KOOPHONE_SECURITY_TOKEN) is used.
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
      - How many requests are in flight at the most, 1 to 100.
      - If not given, E(KOOPHONE_CONCURRENCY) is used.
      - It goes down by itself while the API throttles.
    type: int
    default: 8
  rate_limit:
    description:
      - How many requests a second are sent at the most. Without it, as many as the API lets through.
      - If not given, E(KOOPHONE_RATE_LIMIT) is used.
    type: float
  deadline:
    description:
      - Seconds after which nothing new is sent. What is left then is reported as not attempted, and the task fails.
      - If not given, E(KOOPHONE_DEADLINE) is used.
    type: float
"""
