# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The options that all modules of the collection share, and their way from text to values."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlunsplit

from ansible.module_utils.common.parameters import AnsibleFallbackNotFound

from ansible_collections.koophone.fleet.plugins.module_utils._address import split_address
from ansible_collections.koophone.fleet.plugins.module_utils._auth import (
    DEFAULT_IAM_ENDPOINT,
    Credentials,
    parse_credentials,
)
from ansible_collections.koophone.fleet.plugins.module_utils._limits import parse_age
from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import shown
from ansible_collections.koophone.fleet.plugins.module_utils._state._location import (
    STATE_URL_FORMS,
    Location,
    default_location,
    parse_state_url,
    vanishing_because,
)

DEFAULT_ENDPOINT = "https://koophone.myhuaweicloud.com"
# What `claim_timeout` exceeds `timeout` + `settle` by: enough for the claim of a killed run to end as well.
_CLAIM_MARGIN = 10
# Each request in flight has a thread, and the system does not take any number of seconds for a time-out.
_MOST_IN_FLIGHT = 100
_LONGEST = 86400.0


def set_in_environment(name: str) -> str:
    """The environment variable; one that is set to '' counts as unset, as AWX injects what was left empty."""
    value = os.environ.get(name, "")
    if value == "":
        raise AnsibleFallbackNotFound
    return value


def _option(name: str, **spec: Any) -> dict[str, Any]:
    return {**spec, "fallback": (set_in_environment, [f"KOOPHONE_{name.upper()}"])}


def connection_spec() -> dict[str, Any]:
    """See the documentation fragment `connection`."""
    return {
        "endpoint": _option("endpoint", type="str", default=DEFAULT_ENDPOINT),
        "auth_token": _option("auth_token", type="str", no_log=True),
        "username": _option("username", type="str"),
        "password": _option("password", type="str", no_log=True),
        "domain_name": _option("domain_name", type="str"),
        "project_name": _option("project_name", type="str"),
        "iam_endpoint": _option("iam_endpoint", type="str", default=DEFAULT_IAM_ENDPOINT),
        "access_key": _option("access_key", type="str", no_log=True),
        "secret_key": _option("secret_key", type="str", no_log=True),
        "security_token": _option("security_token", type="str", no_log=True),
        "insecure_skip_tls_verify": _option("insecure_skip_tls_verify", type="bool", default=False),
        "ca_path": _option("ca_path", type="path"),
        "timeout": _option("timeout", type="float", default=30.0),
        "retries": _option("retries", type="int", default=5),
        "concurrency": _option("concurrency", type="int", default=8),
        "rate_limit": _option("rate_limit", type="float"),
        "deadline": _option("deadline", type="float"),
    }


def state_spec() -> dict[str, Any]:
    """See the documentation fragment `state_store`."""
    return {
        "service": _option("service", type="str"),
        "state_url": _option("state_url", type="str", no_log=True),
        "settle": _option("settle", type="float", default=60.0),
        "claim_timeout": {"type": "float"},
        "history_age": {"type": "str", "default": "90d"},
    }


class Connection(NamedTuple):
    """How to reach the API; `timeout` and `deadline` in seconds, `rate_limit` in requests a second.

    `verify` is as in `requests`.
    """

    endpoint: str
    credentials: Credentials
    verify: bool | str
    timeout: float
    retries: int
    concurrency: int
    rate_limit: float | None
    deadline: float | None


class StateOptions(NamedTuple):
    """Where the memory is and how long to be careful; times in seconds."""

    location: Location
    service: str
    settle: float
    claim_timeout: float
    history_age: float


def parse_connection(params: Mapping[str, Any], mistakes: list[str]) -> Connection:
    """Check the connection options; every mistake is added to `mistakes`."""
    endpoint = _parse_endpoint(params["endpoint"], mistakes)
    _check_positive(params["timeout"], "timeout", mistakes)
    if params["retries"] < 0:
        mistakes.append(f"retries: {params['retries']} is negative")
    if not 1 <= params["concurrency"] <= _MOST_IN_FLIGHT:
        mistakes.append(f"concurrency: {params['concurrency']} is not between 1 and {_MOST_IN_FLIGHT}")
    verify: bool | str = not params["insecure_skip_tls_verify"]
    if verify and params["ca_path"]:
        verify = params["ca_path"]
        if not Path(params["ca_path"]).exists():
            mistakes.append(f"ca_path: {shown(params['ca_path'])} does not exist")
    mistakes.extend(
        f"{name}: {params[name]} is not a positive number"
        for name in ("rate_limit", "deadline")
        if params[name] is not None and not (math.isfinite(params[name]) and params[name] > 0)
    )
    return Connection(
        endpoint,
        parse_credentials(params, mistakes),
        verify,
        params["timeout"],
        params["retries"],
        params["concurrency"],
        params["rate_limit"],
        params["deadline"],
    )


def parse_state(params: Mapping[str, Any], mistakes: list[str], warnings: list[str]) -> StateOptions:
    """Check the state options; every mistake is added to `mistakes`, what deserves a warning to `warnings`."""
    if not math.isfinite(params["settle"]) or params["settle"] < 0:
        mistakes.append(f"settle: {params['settle']} is not a number of seconds")
    claim_timeout = params["claim_timeout"]
    if claim_timeout is None:
        claim_timeout = params["timeout"] + params["settle"] + _CLAIM_MARGIN
    elif not math.isfinite(claim_timeout) or claim_timeout < 0:
        mistakes.append(f"claim_timeout: {claim_timeout} is not a number of seconds")
    service = params["service"] or normalised(params["endpoint"])
    history_age = parse_age(params["history_age"], "history_age", mistakes) or 0.0
    location = _parse_location(params["state_url"], mistakes, warnings)
    return StateOptions(location, service, params["settle"], claim_timeout, history_age)


def normalised(endpoint: str) -> str:
    """The endpoint as the name of a service: what differs only in spelling is the same."""
    parts = split_address(endpoint)
    if parts is None:
        return endpoint
    port = parts.port
    host = (parts.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    netloc = host if port in (None, {"https": 443, "http": 80}.get(parts.scheme)) else f"{host}:{port}"
    return urlunsplit((parts.scheme.lower(), netloc, parts.path.rstrip("/"), "", ""))


def _parse_location(state_url: str | None, mistakes: list[str], warnings: list[str]) -> Location:
    vanishing = vanishing_because()
    if state_url:
        location = parse_state_url(state_url, mistakes)
        if location is not None and location.path is not None and vanishing:
            warnings.append(
                f"The state store {location.path} may not outlive this run ({vanishing}): unless that path is kept,"
                " every run looks like the first. Use PostgreSQL: state_url: postgresql://user:password@host/database"
            )
        return location or Location()
    if vanishing:
        mistakes.append(
            f"state_url: files written here do not outlive the run ({vanishing}), so that the default state store"
            " would make every run look like the first; use PostgreSQL: state_url:"
            " postgresql://user:password@host/database (or KOOPHONE_STATE_URL)"
        )
    try:
        return default_location()
    except RuntimeError:
        mistakes.append(f"state_url: there is no default, as this user has no home folder; give {STATE_URL_FORMS}")
        return Location()


def _parse_endpoint(endpoint: str, mistakes: list[str]) -> str:
    parts = split_address(endpoint)
    if parts is None:
        mistakes.append("endpoint: it is not of the form https://host")
    elif parts.username or parts.password:
        mistakes.append("endpoint: it must not hold a user name or password; see auth_token")
    elif parts.query or parts.fragment:
        mistakes.append("endpoint: it must not have a query or a fragment")
    return endpoint.strip()


def _check_positive(value: float, place: str, mistakes: list[str]) -> None:
    if not 0 < value <= _LONGEST:
        mistakes.append(f"{place}: {value} is not a positive number of seconds, a day at the most")
