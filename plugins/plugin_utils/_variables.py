# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The variables of the hosts of a play, read as cheaply as it gets.

A fleet has thousands of hosts. Ansible builds each host's variables anew at every access to `hostvars[host]`, and a
template such as a look-up in a vault is evaluated at every access to the variable. So each host's variables are taken
raw and once, and only those that hold a template are evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import shown
from ansible_collections.koophone.fleet.plugins.plugin_utils._values import (
    UnreadableError,
    has_template,
    is_unset,
    plain,
)

PREFIXES = ("koophone_", "video_setting_")
_LOOKUP = re.compile(r"\b(lookup|query|q)\s*\(")


class HostVariables:
    """What the hosts of a play have in the two namespaces of the role."""

    def __init__(self, hostvars: Any, hosts: Iterable[str]) -> None:
        self.hosts = list(hosts)
        self._hostvars = hostvars
        self._raw = {
            host: {name: value for name, value in _raw_variables(hostvars, host).items() if name.startswith(PREFIXES)}
            for host in self.hosts
        }

    def names(self) -> set[str]:
        """The names of all variables that any host has."""
        return {name for variables in self._raw.values() for name in variables}

    def raw(self, name: str) -> list[Any]:
        """What the hosts that have a variable have, before any template is evaluated."""
        return [variables[name] for variables in self._raw.values() if not is_unset(variables.get(name))]

    def value(self, host: str, name: str) -> Any:
        """A host's variable, in Python's own types; None when the host hasn't got it."""
        raw = self._raw[host].get(name)
        if not has_template(raw):
            return plain(raw)
        try:
            value = plain(self._hostvars[host][name])
        except UnreadableError:
            raise
        except Exception as error:  # Templates raise all sorts of things, depending on the version of Ansible.
            raise UnreadableError(str(error)) from error
        if has_template(value):
            # This is how ansible-core before 2.19 hands out what it couldn't evaluate.
            raise UnreadableError(f"{shown(value)} refers to something undefined")
        return value

    def disagreement(self, name: str) -> tuple[str, str] | None:
        """Two hosts that have different values of a variable; to have none at all is a value, too."""
        first = self.hosts[0]
        raws = [self._raw[host].get(name) for host in self.hosts]
        if all(raw is raws[0] or raw == raws[0] for raw in raws) and not _differs_by_host(raws[0]):
            return None
        wanted = self._comparable(first, name)
        return next(((first, host) for host in self.hosts[1:] if self._comparable(host, name) != wanted), None)

    def _comparable(self, host: str, name: str) -> Any:
        try:
            value = self.value(host, name)
        except UnreadableError as error:
            return error.args
        return None if is_unset(value) else value


def _raw_variables(hostvars: Any, host: str) -> Mapping[str, Any]:
    """A host's variables before any template is evaluated, where this version of Ansible offers that."""
    raw_get = getattr(hostvars, "raw_get", None)
    variables: Mapping[str, Any] = hostvars[host] if raw_get is None else raw_get(host)
    return variables


def _differs_by_host(raw: Any) -> bool:
    """Whether the same raw variable may have another value on another host.

    A look-up counts as the same everywhere: it is evaluated once, not once a host, which a vault would not like.
    """
    return has_template(raw) and not _LOOKUP.search(str(raw))
