# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The fleet as the service lists it, with the options of the connection as the modules understand them."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import missing_required_lib
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.koophone.fleet.plugins.module_utils import _clock
from ansible_collections.koophone.fleet.plugins.module_utils._arguments import (
    Connection,
    connection_spec,
    normalised,
    parse_connection,
)
from ansible_collections.koophone.fleet.plugins.module_utils._auth import Credentials, CredentialsError
from ansible_collections.koophone.fleet.plugins.module_utils._authenticators import authenticator_of
from ansible_collections.koophone.fleet.plugins.module_utils._client import Client
from ansible_collections.koophone.fleet.plugins.module_utils._errors import KooPhoneError
from ansible_collections.koophone.fleet.plugins.module_utils._listing import ListError, ListOptions, list_instances
from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import message
from ansible_collections.koophone.fleet.plugins.module_utils._transport import REQUESTS_IMPORT_ERROR, Transport
from ansible_collections.koophone.fleet.plugins.plugin_utils._instances import trimmed
from ansible_collections.koophone.fleet.plugins.plugin_utils._names import absolute_path


class FleetError(Exception):
    """There is no list to be had; the text is for the user."""


def connection_of(
    given: Mapping[str, Any], folder: Path, evaluate: Callable[[Any], Any], mistakes: list[str]
) -> Connection:
    """The connection for what an inventory file in `folder` gives. Raises `FleetError` for all mistakes at once.

    What it doesn't give comes from the environment and the defaults, by the specification that the modules have.
    """
    options = {name: evaluate(given[name]) for name in connection_spec() if given.get(name) is not None}
    # As AWX injects what was left empty; in a file that is a template, the same may come of it.
    options = {name: value for name, value in options.items() if value != ""}
    if "ca_path" in options:
        options["ca_path"] = absolute_path(str(options["ca_path"]), folder)
    checked = ArgumentSpecValidator(connection_spec()).validate(options)
    mistakes = [*mistakes, *checked.error_messages]
    if not checked.error_messages:
        connection = parse_connection(checked.validated_parameters, mistakes)
        if not mistakes:
            return connection
    raise FleetError(message(mistakes))


def identity(connection: Connection) -> str:
    """What tells one fleet's list from another's: a digest of the endpoint and of who asks, without any password."""
    who = connection.credentials
    parts = [normalised(connection.endpoint), *_who(who)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _who(given: Credentials) -> list[str | None]:
    if given.auth_token:
        # Too long and random to be guessed from the digest.
        return ["token", given.auth_token]
    if given.username:
        return ["user", given.username, given.domain_name, given.project_name, given.iam_endpoint]
    return ["key", given.access_key or os.environ.get("HUAWEICLOUD_SDK_AK")]


def fetch(connection: Connection, warn: Callable[[str], None]) -> list[dict[str, Any]]:
    """All instances, asked for now. Raises `FleetError`."""
    if REQUESTS_IMPORT_ERROR is not None:
        raise FleetError(str(missing_required_lib("requests")))
    ends_at = math.inf if connection.deadline is None else _clock.now() + connection.deadline
    options = ListOptions(connection.retries, connection.rate_limit, ends_at, warn)
    transport = Transport(timeout=connection.timeout, connections=1, verify=connection.verify)
    try:
        authenticator = authenticator_of(connection.credentials, transport, retries=connection.retries)
        client = Client(connection.endpoint, transport, authenticator)
        return [trimmed(instance) for instance in list_instances(client, options)]
    except KooPhoneError as error:
        raise FleetError(f"the instances cannot be listed: {error}") from error
    except (CredentialsError, ListError) as error:
        raise FleetError(str(error)) from error
    finally:
        transport.close()
