# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: instances
short_description: The cloud phones of a KooPhone tenant as an inventory
version_added: 0.1.0
author:
  - The koophone.fleet contributors (@koophone)
description:
  - Lists the instances of the tenant, and makes a host of each. What is put into C(group_vars) and C(host_vars) for
    P(koophone.fleet.video_setting#role) then simply applies.
  - It is configured by a file that is named C(koophone.yml) or ends in C(.koophone.yml) (or C(.yaml)).
  - A list is taken whole or not at all. If a page of it fails for good, or if what came doesn't match the
    C(total_count) that the service states, even after the list was gone through several times, that is an error.
  - Ansible itself goes on without an inventory source that failed, with a warning and exit status 0, unless
    E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED) or E(ANSIBLE_INVENTORY_UNPARSED_FAILED) is set, as AWX does.
  - Host variables are C(koophone_instance_id), C(koophone_instance_name), C(koophone_region); C(koophone_frozen), a
    boolean; C(koophone_running_status), one of the words of O(statuses); C(koophone_sku), and what can be read from
    its text, C(koophone_edition), C(koophone_cores), C(koophone_memory_gb) and C(koophone_resolution) (the highest
    one, such as V(1080P)); and the other fields of the API's answer, such as C(koophone_project_name) for
    C(project_name). What the API doesn't tell is null.
  - Each host is in a group for its region, such as C(region_cn_north_4), and in one for its edition, such as
    C(edition_Professional).
extends_documentation_fragment:
  - koophone.fleet.connection
  - constructed
  - inventory_cache
options:
  plugin:
    description:
      - Says that the file is for this plugin.
    type: str
    required: true
    choices:
      - koophone.fleet.instances
  ca_path:
    description:
      - File or folder with the certificates of the authorities to trust instead of the system's. A relative path counts
        from the folder of the inventory file.
      - If not given, E(KOOPHONE_CA_PATH) is used.
    type: str
  concurrency:
    description:
      - Has no influence here; pages are asked for one after another. It is known so that the same options can be given
        everywhere.
      - If not given, E(KOOPHONE_CONCURRENCY) is used.
    type: int
    default: 8
  deadline:
    description:
      - Seconds after which nothing is tried again. The list is an error then.
      - If not given, E(KOOPHONE_DEADLINE) is used.
    type: float
  hostname:
    description:
      - Template for the names of hosts, made of the host variables. Without it, and where it results in nothing, the
        host has the name of the instance, and where that has none its id.
      - White space and what has a meaning in host patterns, paths or templates becomes C(_).
      - If several instances come to the same name, that is a warning, and the id is put behind the name of all of them.
        Names do not depend on the filters below.
    type: str
  regions:
    description:
      - Take only instances of these regions.
    type: list
    elements: str
    default: []
  names:
    description:
      - Take only instances whose name matches one of these patterns, which are as Ansible's patterns for hosts, with
        C(*), C(?) and C([abc]), or with a C(~) in front a regular expression that the name begins with.
    type: list
    elements: str
    default: []
  statuses:
    description:
      - Take only instances with one of these running statuses. By default any will do, since settings can be changed
        whether or not an instance runs, as far as is known.
    type: list
    elements: str
    choices: [unknown, stopped, running, going_offline, starting, shut_down]
    default: []
  include_frozen:
    description:
      - Take frozen instances as well. The API refuses to change their settings.
    type: bool
    default: false
  filter:
    description:
      - Take only instances for which this Jinja expression, without braces, is true. It knows the host variables.
      - If it cannot be evaluated, or is neither true nor false, that is an error, whether O(strict) or not.
    type: str
notes:
  - The environment is used for an option of the connection that the file does not have. A variable that is set to an
    empty string counts as unset.
  - Credentials and addresses in the file may be templates, such as one with a look-up, or encrypted with Ansible Vault.
  - With O(cache) and a cache that is warm, nothing is sent. What is kept is the list as it came, so that other filters
    make use of it too. It belongs to one file, endpoint and identity, and no credentials are in it nor in its key.
seealso:
  - module: koophone.fleet.video_setting
"""

EXAMPLES = r"""
# Each of these is the content of a file of that name.
smallest.koophone.yml:
  # The smallest one. Credentials come from the environment.
  plugin: koophone.fleet.instances

groups.koophone.yml:
  # Groups for group_vars: by what the name begins with, and by the size of the instance.
  plugin: koophone.fleet.instances
  regions:
    - cn-north-4
    - cn-south-1
  names:
    - kiosk-*
    - ~office-\d+$
  statuses:
    - running
    - stopped
  filter: (koophone_cores or 0) >= 4
  keyed_groups:
    - key: koophone_instance_name.split('-')[0]
      separator: ""
    - key: (koophone_memory_gb or 0) | string
      prefix: memory
  groups:
    small: (koophone_memory_gb or 0) < 8
  compose:
    koophone_site: koophone_instance_name.split('-')[0]
  strict: true

projects.koophone.yml:
  # Names that are unique in several projects, a token from a file, and a list that is good for an hour.
  plugin: koophone.fleet.instances
  auth_token: "{{ lookup('ansible.builtin.file', '~/.koophone-token') }}"
  hostname: "{{ koophone_project_name }}-{{ koophone_instance_name }}"
  cache: true
  cache_plugin: ansible.builtin.jsonfile
  cache_connection: ~/.cache/koophone
  cache_timeout: 3600
"""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.koophone.fleet.plugins.module_utils._arguments import Connection
from ansible_collections.koophone.fleet.plugins.plugin_utils._fleet import FleetError, connection_of, fetch, identity
from ansible_collections.koophone.fleet.plugins.plugin_utils._host_names import host_names
from ansible_collections.koophone.fleet.plugins.plugin_utils._instances import Selection, host_variables, parse_names
from ansible_collections.koophone.fleet.plugins.plugin_utils._unsafe import unsafe
from ansible_collections.koophone.fleet.plugins.plugin_utils._values import has_template, plain

Variables = dict[str, Any]


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc]
    """See DOCUMENTATION."""

    NAME = "koophone.fleet.instances"

    def verify_file(self, path: str) -> bool:
        name = Path(path).name
        ours = any(name == f"koophone{end}" or name.endswith(f".koophone{end}") for end in (".yml", ".yaml"))
        return ours and bool(super().verify_file(path))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        mistakes = [f"{name}: there is no such option" for name in config if name not in self.option_definitions]
        names = parse_names(self.get_option("names"), mistakes)
        selection = Selection(
            self.get_option("regions"), names, self.get_option("statuses"), self.get_option("include_frozen")
        )
        try:
            connection = connection_of(config, Path(path).resolve().parent, self._evaluated, mistakes)
            instances = self._instances(connection, self.get_cache_key(path), read_cache=cache)
        except FleetError as error:
            raise AnsibleParserError(str(error)) from None
        hosts = {instance["instance_id"]: unsafe(host_variables(instance)) for instance in instances}
        wanted = self._wanted(hosts, self._names(hosts), selection)
        before = set(self.inventory.hosts)
        try:
            self._add(wanted)
        except Exception:
            # Ansible goes on with what is there by then: a part of the fleet, which must not look like all of it.
            for name in set(self.inventory.hosts) - before:
                self.inventory.remove_host(self.inventory.hosts[name])
            raise

    def _evaluated(self, value: Any) -> Any:
        """An option's value, where it is a template or encrypted."""
        return plain(self.templar.template(value) if has_template(value) else value)

    def _instances(self, connection: Connection, prefix: str, *, read_cache: bool) -> list[Variables]:
        """From the cache if it may be used and has them, else from the service."""
        if not self.get_option("cache"):
            return fetch(connection, self.display.warning)
        key = f"{prefix}_{identity(connection)}"
        cached = self._cache.get(key) if read_cache else None
        if isinstance(cached, dict) and isinstance(cached.get("instances"), list):
            return list(cached["instances"])
        instances = fetch(connection, self.display.warning)
        self._cache[key] = {"instances": instances}
        return instances

    def _names(self, hosts: dict[str, Variables]) -> dict[str, str]:
        """The host name of each instance, whether it is wanted or not: its name depends on no filter."""
        template = self.get_option("hostname")
        wishes = {}
        for instance_id, variables in hosts.items():
            self.templar.available_variables = variables
            wish = str(self.templar.template(template)) if template else ""
            wishes[instance_id] = wish.strip() or str(variables["koophone_instance_name"] or "")
        names, shared = host_names(wishes, self._is_taken)
        if shared:
            first = ", ".join(shared[:5]) + (", ..." if len(shared) > 5 else "")
            self.display.warning(
                f"Several instances, or an instance and something else, would have one host name ({first}); their ids"
                " are put behind it. See the option hostname"
            )
        return names

    def _is_taken(self, name: str, instance_id: str) -> bool:
        """Whether another source of the inventory has a group of this name, or another instance."""
        if name in self.inventory.groups:
            return True
        host = self.inventory.hosts.get(name)
        return host is not None and host.vars.get("koophone_instance_id", instance_id) != instance_id

    def _wanted(self, hosts: dict[str, Variables], names: dict[str, str], selection: Selection) -> dict[str, Variables]:
        regions = {variables["koophone_region"] for variables in hosts.values()}
        for region in sorted(set(selection.regions) - regions):
            self.display.warning(f"regions: the service has no instance in {region}")
        wanted = {
            names[instance_id]: variables
            for instance_id, variables in hosts.items()
            if selection.wants(variables) and self._passes_filter(names[instance_id], variables)
        }
        if not wanted:
            self.display.warning(f"There is no host: the service has {len(hosts)} instances, and none is wanted")
        return wanted

    def _passes_filter(self, name: str, variables: Variables) -> bool:
        expression = self.get_option("filter")
        if not expression:
            return True
        try:
            return bool(boolean(self._compose(expression, variables)))
        except Exception as error:  # Templates raise all sorts of things, depending on the version of Ansible.
            raise AnsibleParserError(f"filter: it cannot be evaluated for {name}: {error}") from error

    def _add(self, hosts: dict[str, Variables]) -> None:
        strict = self.get_option("strict")
        # All hosts come before all groups: Ansible would give a host's variables to a group of the same name.
        for name, variables in hosts.items():
            self.inventory.add_host(name)
            for key, value in variables.items():
                self.inventory.set_variable(name, key, value)
            self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        for name, variables in hosts.items():
            for prefix, value in (("region", variables["koophone_region"]), ("edition", variables["koophone_edition"])):
                if value:
                    group = self.inventory.add_group(self._sanitize_group_name(f"{prefix}_{value}"))
                    self.inventory.add_child(group, name)
            self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)
