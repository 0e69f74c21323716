# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is made of the list: names, filters, groups, values; mistakes in the file; credentials."""

from __future__ import annotations

import pytest

from tests.emulator.handle import Emulator
from tests.inventory.running import LIST, PLUGIN, STRICT, Ansible

TOUCH = "{{ lookup('ansible.builtin.pipe', 'touch was-here') }}"


def test_names_are_unique_and_stable(emulator: Emulator, ansible: Ansible) -> None:
    emulator.call("DELETE", "instances")
    emulator.add(["b", "a"], region="r1", name="twin")
    emulator.add(["c"], region="r2", name="twin")
    emulator.add(["d"], region="r2", name="")
    emulator.add(["e"], region="r2", name="by the door: [1]/2")
    emulator.add(["f"], region="r2", name="localhost")
    run = ansible.inventory("--list")
    names = {hostvars["koophone_instance_id"]: name for name, hostvars in run.hosts.items()}
    assert names == {"a": "twin_a", "b": "twin_b", "c": "twin_c", "d": "d", "e": "by_the_door_1_2", "f": "localhost_f"}
    assert "would have one host name (localhost, twin); their ids are put behind it" in run.said
    # A filter changes nothing of it.
    ansible.write("koophone.yml", PLUGIN + "regions: [r1]\n")
    assert set(ansible.inventory("--list").hosts) == {"twin_a", "twin_b"}
    # Nor does the order in which they come.
    emulator.call("DELETE", "instances")
    emulator.add(["a", "b"], region="r1", name="twin")
    assert set(ansible.inventory("--list").hosts) == {"twin_a", "twin_b"}
    ansible.write("koophone.yml", PLUGIN + 'hostname: "{{ koophone_region }}-{{ koophone_instance_id }}"\n')
    run = ansible.inventory("--list")
    assert (set(run.hosts), run.errors) == ({"r1-a", "r1-b"}, "")


def test_several_sources(emulator: Emulator, ansible: Ansible) -> None:
    """Hosts of other sources are added to; those that are other instances, and groups, stay what they are."""
    emulator.add(["x"], region="r1", name="servers")
    ansible.write("1.yml", "servers: {hosts: {kiosk-0000: {mine: 1}, kiosk-0001: {koophone_instance_id: other}}}\n")
    ansible.write("2.koophone.yml", PLUGIN)
    run = ansible.inventory("-i", "1.yml", "-i", "2.koophone.yml", "--list")
    assert run.hosts["kiosk-0000"]["mine"] == 1
    assert run.hosts["kiosk-0000"]["koophone_instance_id"] == f"{0:032x}"
    assert run.hosts["kiosk-0001"] == {"koophone_instance_id": "other"}
    assert run.hosts[f"kiosk-0001_{2:032x}"]["koophone_instance_id"] == f"{2:032x}"
    assert run.hosts["servers_x"]["koophone_region"] == "r1"
    assert run.listed["servers"] == {"hosts": ["kiosk-0000", "kiosk-0001"]}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("regions: [cn-north-4, cn-east-3]", "k0 k1 o0 o3 k4 k3"),
        ("names: [kiosk-*1, kiosk-000?]", "k0 k1 k2 k3 k4"),
        (r'names: ["~office-\\d+[02]$"]', "o0 o2"),
        ("names: [kiosk]", ""),
        ("statuses: [stopped, going_offline]", "k1 o1"),
        ("filter: koophone_cores < 8 and koophone_instance_name is match('.*[12]')", "k1 o1"),
        ("filter: koophone_instance_name in ['kiosk-0004', 'office-0001']\nregions: [cn-east-3]", "k4"),
        ("include_frozen: true", "k0 k1 k2 k3 k4 o0 o1 o2 o3 o9"),
        ("include_frozen: true\nfilter: koophone_frozen", "o9"),
    ],
)
def test_filters(emulator: Emulator, ansible: Ansible, options: str, expected: str) -> None:
    emulator.add([f"{2:032x}"], running_status=1)
    emulator.add([f"{3:032x}"], running_status=3)
    emulator.add(["frozen"], region="cn-east-3", kind="frozen", name="office-0009")
    ansible.write("koophone.yml", f"{PLUGIN}{options}\n")
    run = ansible.inventory("--list", **STRICT)
    assert run.status == 0, run.errors
    short = {name[0] + name[-1] for name in run.hosts}
    assert short == set(expected.split())
    if not expected:
        assert "There is no host: the service has 10 instances, and none is wanted" in run.said


def test_constructed_groups_and_variables(emulator: Emulator, ansible: Ansible) -> None:
    ansible.write(
        "koophone.yml",
        PLUGIN
        + """
strict: true
compose:
  koophone_site: koophone_instance_name.split('-')[0]
groups:
  small: koophone_memory_gb < 16
keyed_groups:
  - key: koophone_site
    separator: ""
  - key: koophone_resolution
    prefix: up_to
    parent_group: resolutions
""",
    )
    run = ansible.inventory("--list", **STRICT)
    assert run.status == 0, run.errors
    offices = ["office-0000", "office-0001", "office-0002", "office-0003"]
    assert run.members("office") == offices
    assert run.members("small") == run.members("up_to_720P") == ["kiosk-0001", "kiosk-0003", *offices[1::2]]
    assert sorted(run.listed["resolutions"]["children"]) == ["up_to_1080P", "up_to_720P"]
    assert run.hosts["kiosk-0000"]["koophone_site"] == "kiosk"


@pytest.mark.parametrize(
    "option",
    [
        "compose: {x: koophone_instance_name.nope.nope}",
        "groups: {x: koophone_instance_name.nope.nope}",
        "keyed_groups: [{key: koophone_instance_name.nope.nope}]",
        # Only the last one has no edition: by then, all others are there.
        "keyed_groups: [{key: koophone_edition}]",
    ],
)
def test_a_part_of_the_fleet_is_never_left_behind(emulator: Emulator, ansible: Ansible, option: str) -> None:
    emulator.add(["z"], region="r", sku="8 vCPUs")
    ansible.write("koophone.yml", f"{PLUGIN}strict: true\n{option}\n")
    ansible.write("hosts.yml", "all: {hosts: {kiosk-0000: {mine: 1}}}")
    run = ansible.inventory("-i", "hosts.yml", "-i", "koophone.yml", "--list")
    assert list(run.hosts) == ["kiosk-0000"], run.errors
    assert "Failed to parse" in run.said or "Unable to parse" in run.said
    ansible.write("koophone.yml", f"{PLUGIN}strict: false\n{option}\n")
    assert len(ansible.inventory("-i", "hosts.yml", "-i", "koophone.yml", "--list").hosts) == 10


def test_nothing_from_the_service_is_a_template(emulator: Emulator, ansible: Ansible) -> None:
    emulator.call("DELETE", "instances")
    emulator.add(["a"], region=TOUCH, name=TOUCH, sku=TOUCH, assign_user=TOUCH, phone_id="{% raw %}")
    ansible.write(
        "koophone.yml", PLUGIN + "compose: {mine: koophone_assign_user}\nkeyed_groups: [{key: koophone_sku}]\n"
    )
    run = ansible.inventory("--list", **STRICT)
    assert run.status == 0, run.errors
    [host] = run.raw_hosts.values()
    assert host["koophone_region"] == host["mine"] == {"__ansible_unsafe": TOUCH}
    shown = ansible.run(
        *("ansible", "-i", "koophone.yml", "all", "-m", "ansible.builtin.debug"),
        *("-a", "msg='{{ koophone_assign_user }} {{ mine }} {{ inventory_hostname }} {{ group_names }}'"),
    )
    assert "lookup(" in shown.output, shown.errors
    assert not (ansible.folder / "was-here").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("region: [cn-north-4]", "region: there is no such option"),
        ("endpoint: nowhere", "endpoint: it is not of the form https://host"),
        ("timeout: -1\nretries: -1", "retries: -1 is negative"),
        ("ca_path: no/such.pem", "does not exist"),
        ("names: ['~(']", 'names[0]: "~(" is not a regular expression'),
        ("statuses: [asleep]", "asleep"),
        ("filter: koophone_nope > 1", "filter: it cannot be evaluated for kiosk-0000"),
        ("filter: koophone_instance_name", "filter: it cannot be evaluated for kiosk-0000"),
        ("hostname: '{{ koophone_nope }}'", "koophone_nope"),
    ],
)
def test_mistakes(emulator: Emulator, ansible: Ansible, text: str, message: str) -> None:
    ansible.write("koophone.yml", f"{PLUGIN}{text}\n")
    run = ansible.inventory("--list", **STRICT)
    assert run.status != 0
    assert run.output == ""
    assert message in run.said
    assert "Traceback" not in run.errors
    if not text.startswith(("filter", "hostname")):
        assert emulator.count(LIST) == 0


def test_mistakes_in_the_environment(emulator: Emulator, ansible: Ansible) -> None:
    run = ansible.inventory("--list", KOOPHONE_TIMEOUT="soon", **STRICT)
    assert run.status != 0
    assert "timeout" in run.said
    assert "cannot be converted to a float" in run.said
    assert emulator.count(LIST) == 0


@pytest.mark.parametrize("name", ["koophone.yaml", "north.koophone.yml", "north.koophone.yaml"])
def test_names_of_the_file(emulator: Emulator, ansible: Ansible, name: str) -> None:
    ansible.write(name, PLUGIN)
    assert len(ansible.inventory("-i", name, "--list").hosts) == 9


@pytest.mark.parametrize("name", ["hosts.yml", "mykoophone.yml", "koophone.json"])
def test_a_file_of_another_name_is_not_ours(emulator: Emulator, ansible: Ansible, name: str) -> None:
    ansible.write(name, PLUGIN)
    assert ansible.inventory("-i", name, "--list", **STRICT).status != 0
    assert emulator.count(LIST) == 0


def test_a_relative_path_counts_from_the_file(emulator: Emulator, ansible: Ansible) -> None:
    ansible.write("sub/ca.pem", "")
    ansible.write("sub/koophone.yml", PLUGIN + "ca_path: ca.pem\n")
    assert len(ansible.inventory("-i", "sub/koophone.yml", "--list", **STRICT).hosts) == 9


def test_other_credentials(emulator: Emulator, ansible: Ansible) -> None:
    """Of IAM, renewed in the middle; from the file, as templates; and refused ones."""
    emulator.add([f"m{number}" for number in range(250)], region="r")
    iam = {
        "KOOPHONE_USERNAME": "emulator-user",
        "KOOPHONE_PASSWORD": "emulator-password",
        "KOOPHONE_DOMAIN_NAME": "emulator-domain",
        "KOOPHONE_PROJECT_NAME": "emulator-project",
        "KOOPHONE_IAM_ENDPOINT": emulator.url,
    }
    emulator.config(token_requests=2)
    run = ansible.inventory("--list", KOOPHONE_AUTH_TOKEN=None, **iam, **STRICT)
    assert run.status == 0, run.errors
    assert len(run.hosts) == 259
    assert len(emulator.tokens()["issued"]) == 2
    emulator.config(token_requests=None)

    ansible.write("token", f"{emulator.token}\n")
    ansible.write("koophone.yml", PLUGIN + "auth_token: \"{{ lookup('ansible.builtin.file', 'token') }}\"\n")
    assert len(ansible.inventory("--list", KOOPHONE_AUTH_TOKEN="not this one").hosts) == 259

    ansible.write("koophone.yml", PLUGIN + "auth_token: refused-secret\n")
    run = ansible.inventory("--list", "-vvvv", **STRICT)
    assert run.status != 0
    assert "HTTP 401" in run.said
    assert "refused-secret" not in run.output + run.errors
    assert "emulator-password" not in run.output + run.errors

    ansible.write("koophone.yml", PLUGIN)
    run = ansible.inventory("--list", KOOPHONE_AUTH_TOKEN="", HUAWEICLOUD_SDK_AK="", **STRICT)
    assert run.status != 0
    assert "no credentials: give auth_token" in run.said


def test_keys(emulator: Emulator, ansible: Ansible) -> None:
    pytest.importorskip("huaweicloudsdkcore")
    ansible.write("koophone.yml", PLUGIN + "access_key: emulator-access-key\nsecret_key: emulator-secret-key\n")
    run = ansible.inventory("--list", KOOPHONE_AUTH_TOKEN=None, **STRICT)
    assert run.status == 0, run.errors
    assert len(run.hosts) == 9


def test_a_token_in_a_vault(emulator: Emulator, ansible: Ansible) -> None:
    ansible.write("password", "secret")
    vault = ("--vault-password-file", "password")
    encrypted = ansible.run("ansible-vault", "encrypt_string", *vault, "--name", "auth_token", emulator.token)
    ansible.write("koophone.yml", PLUGIN + encrypted.output)
    run = ansible.inventory("--list", *vault, KOOPHONE_AUTH_TOKEN=None, **STRICT)
    assert run.status == 0, run.errors
    assert len(run.hosts) == 9
