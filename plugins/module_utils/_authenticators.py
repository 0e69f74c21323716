# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""From credentials to the authenticator that uses them."""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.koophone.fleet.plugins.module_utils._auth import Authenticator, Credentials
from ansible_collections.koophone.fleet.plugins.module_utils._token_auth import GivenToken, IamToken
from ansible_collections.koophone.fleet.plugins.module_utils._transport import Sender


def authenticator_of(
    given: Credentials, sender: Sender, *, retries: int, pause: Callable[[float], None] = time.sleep
) -> Authenticator:
    """The authenticator for checked credentials. Raises `CredentialsError` when there are none to be found.

    `pause` waits so many seconds before IAM is asked again, or raises `CredentialsError`.
    """
    if given.auth_token:
        return GivenToken(given.auth_token)
    if given.username:
        return IamToken(given, sender, retries=retries, pause=pause)
    # Late: most runs have a token, and each compiles what it imports.
    from ansible_collections.koophone.fleet.plugins.module_utils._key_auth import KeyAuthenticator

    return KeyAuthenticator.of(given) if given.access_key else KeyAuthenticator.of_chain()
