# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything between the variables of a play and the options of the module."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.yaml import yaml_load
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined

from ansible_collections.koophone.fleet.plugins.module_utils._settings import parse_settings
from ansible_collections.koophone.fleet.plugins.plugin_utils._input import Play, read_input

ROLE = Path(__file__).parents[4] / "roles" / "video_setting"
SHIPPED = yaml_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
FOLDER = Path("/start/here")


class HostVars(dict[str, dict[str, Any]]):
    """Like Ansible's: `raw_get` gives templates, and access by key what they evaluate to."""

    def __init__(self, hosts: Mapping[str, Mapping[str, Any]], evaluated: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__({host: {**raw, **evaluated.get(host, {})} for host, raw in hosts.items()})
        self.raw = hosts
        self.evaluations: list[str] = []

    def raw_get(self, host: str) -> Mapping[str, Any]:
        return self.raw[host]

    def __getitem__(self, host: str) -> dict[str, Any]:
        self.evaluations.append(host)
        return super().__getitem__(host)


def read(
    hosts: Mapping[str, Mapping[str, Any]] | None = None,
    play_values: Mapping[str, Any] | None = None,
    evaluated: Mapping[str, Mapping[str, Any]] | None = None,
    **of_play: Any,
) -> dict[str, Any]:
    """Read a play whose plain variables are its first host's, with `play_values` laid over them, as Ansible does."""
    hosts = hosts or {"localhost": {}}
    hostvars = HostVars(hosts, evaluated or {})
    batch = of_play.pop("batch", list(hosts))
    first = {**hosts[batch[0]], **(evaluated or {}).get(batch[0], {})}
    values = {name: value for name, value in first.items() if name.startswith("video_setting_")}
    values.update(play_values or {})
    play = Play(
        hosts=of_play.pop("play_hosts", list(hosts)),
        batch=batch,
        inventory_groups=of_play.pop("groups", {"all": list(hosts)}),
        folder=FOLDER,
        **of_play,
    )
    result = read_input(
        hostvars,
        play,
        list(values),
        values.__getitem__,
        SHIPPED["__video_setting_presets"],
        SHIPPED["__video_setting_network_presets"],
    )
    result["evaluations"] = hostvars.evaluations
    return result


def instances(*hosts: str, **variables: Any) -> dict[str, dict[str, Any]]:
    return {host: {"koophone_instance_id": f"id-{host}", **variables} for host in hosts}


def groups(result: Mapping[str, Any]) -> dict[str, list[str]]:
    assert result["mistakes"] == []
    return {group["name"]: group.get("instance_ids", []) for group in result["instance_groups"]}


A_LIST = [{"name": "bench", "instance_ids": ["x1", "x2"]}]


def test_hosts_with_equal_region_and_settings_form_a_group() -> None:
    hosts = {
        **instances("a", "b", koophone_region="r1"),
        **instances("c", koophone_region="r2"),
        **instances("d", koophone_region="r1", koophone_network_presets={"WIFI": "data_saver"}),
        # Another way to say the same.
        **instances("e", koophone_region="r1", koophone_network_presets={"WIFI": "balanced"}, koophone_overrides=""),
        "db": {"koophone_region": "r1"},
    }
    result = read(hosts)
    assert groups(result) == {"a, b, e": ["id-a", "id-b", "id-e"], "c": ["id-c"], "d": ["id-d"]}
    assert result["hosts_without_id"] == 1
    assert [group["region"] for group in result["instance_groups"]] == ["r1", "r2", "r1"]
    for group in result["instance_groups"]:
        mistakes: list[str] = []
        assert parse_settings(group["settings"], "settings", mistakes) is not None
        assert not mistakes


def test_presets_and_overrides_come_in_the_order_of_the_design() -> None:
    play = {
        "video_setting_network_presets": {"WIFI": "data_saver", "WIRED": "data_saver"},
        "video_setting_overrides": {"WIFI": {"H265": {"720P": {"code_rate": 3300, "fps": 60}}}},
        "video_setting_instance_groups": [
            {
                "name": "g",
                "instance_ids": ["x"],
                "network_presets": {"WIRED": "high_quality"},
                "overrides": {"WIFI": {"H265": {"720P": {"code_rate": "3400"}}}},
            }
        ],
    }
    host = instances(
        "h",
        koophone_network_presets={"WIFI": "high_quality"},
        koophone_overrides={"WIRED": {"H264": {"540P": {"fps": 60}}}},
    )
    result = read(host, play)
    of_list, of_host = (group["settings"] for group in result["instance_groups"])
    presets = SHIPPED["__video_setting_presets"]
    assert of_list["MOBILE_NETWORK"] == of_host["MOBILE_NETWORK"] == presets["MOBILE_NETWORK"]["balanced"]
    assert of_list["WIRED"] == presets["WIRED"]["high_quality"]
    assert of_list["WIFI"]["H264"] == presets["WIFI"]["data_saver"]["H264"]
    assert of_list["WIFI"]["H265"]["720P"] == {"code_rate": 3400, "fps": 60}
    # The play's overrides are laid over the host's preset, too.
    assert of_host["WIFI"]["H264"] == presets["WIFI"]["high_quality"]["H264"]
    assert of_host["WIFI"]["H265"]["720P"] == {"code_rate": 3300, "fps": 60}
    assert of_host["WIRED"]["H264"]["540P"] == {**presets["WIRED"]["data_saver"]["H264"]["540P"], "fps": 60}


def test_list_and_hosts_mixed() -> None:
    result = read({**instances("a", "b"), "db": {}}, {"video_setting_instance_groups": A_LIST})
    assert groups(result) == {"bench": ["x1", "x2"], "a, b": ["id-a", "id-b"]}
    assert list(groups(result)) == ["bench", "a, b"]
    assert result["hosts_without_id"] == 1


def test_relative_paths_count_from_where_ansible_was_started() -> None:
    play = {
        "video_setting_instance_groups": [
            {"name": "relative", "instance_ids_file": "ids/kiosks.txt"},
            {"name": "absolute", "instance_ids_file": "/fleet/kiosks.txt", "instance_ids": ""},
        ],
        "video_setting_ca_path": "ca.pem",
        "video_setting_state_url": "sqlite:///state/fleet.sqlite3",
    }
    result = read(play_values=play)
    assert [group["instance_ids_file"] for group in result["instance_groups"]] == [
        "/start/here/ids/kiosks.txt",
        "/fleet/kiosks.txt",
    ]
    assert result["options"] == {
        "ca_path": "/start/here/ca.pem",
        "state_url": "sqlite:////start/here/state/fleet.sqlite3",
    }


@pytest.mark.parametrize("url", ["sqlite:////absolute/path", "postgresql://user:pw@host/db", "sqlite://", "nonsense"])
def test_other_state_urls_are_left_to_the_module(url: str) -> None:
    result = read(instances("a"), {"video_setting_state_url": url})
    assert result["options"] == {"state_url": url}


def test_options_are_handed_on_when_they_are_set() -> None:
    play = {
        "video_setting_retries": "3",
        "video_setting_force": False,
        "video_setting_settle": 0,
        "video_setting_timeout": "",
        "video_setting_endpoint": None,
        "video_setting_ca_path": "",
        "video_setting_state_url": " ",
        "video_setting_max_changed": "20%",
        "video_setting_hosts": "kiosks",
        "video_setting_result": {"changed": True},
        "video_setting_notes_of_my_own": "x",
    }
    result = read(instances("a"), play)
    assert result["mistakes"] == []
    # A share is of the whole fleet, whatever part of it the play is for.
    assert result["options"] == {"retries": "3", "force": False, "settle": 0, "max_changed": "20%", "fleet_size": 1}


def test_all_mistakes_at_once_each_with_its_place() -> None:
    hosts = {
        **instances("a", "b", koophone_network_presets={"WIFFI": "balanced", "WIFI": "hq"}),
        **instances("c", koophone_overrides={"WIRED": {"H265": {"720P": {"code_rate": 6050}}}}),
        "d": {"koophone_instance_id": 12345},
        "e": {"koophone_instance_id": "has blanks", "koophone_region": 5},
        **instances("f", koophone_overides={}),
    }
    play = {
        "video_setting_overrides": {"WIFI": {"H264": {"720": {}}}},
        "video_setting_network_presets": {"WIRED": "fast"},
        "video_setting_presets": {"WIFI": {"mine": {}}},
        "video_setting_allow_empty": "perhaps",
        "video_setting_max_change": "5%",
        "video_setting_instance_groups": [
            {"name": "one", "instance_ids": ["x", 1e5], "colour": "red"},
            {"name": "one", "instance_ids_file": "f", "overrides": {"WIFI": {"H264": {"540P": {"fps": "50"}}}}},
            "two",
            {"instance_ids": "x"},
            {"name": "three"},
        ],
    }
    result = read(hosts, play, limit="a:b", sliced=True)
    assert result["instance_groups"] == []
    assert result["options"] == {}
    shipped = "balanced, data_saver, high_quality"
    fields = "name, instance_ids, instance_ids_file, region, network_presets, overrides"
    network_types = "MOBILE_NETWORK, WIFI, WIRED"
    for expected in (
        "koophone_overides: unknown variable; koophone_overrides may be meant",
        "video_setting_max_change: unknown variable; video_setting_max_changed may be meant",
        "video_setting_presets.WIFI.mine: incomplete, without H264, H265",
        f'video_setting_network_presets.WIRED: unknown preset "fast" (known for WIRED: {shipped})',
        'video_setting_overrides.WIFI.H264: unknown definition "720" (known: 540P, 720P, 1080P)',
        f'video_setting_instance_groups[0]: unknown field "colour" (known: {fields})',
        "video_setting_instance_groups[0].instance_ids[1]: 100000.0 is not a string; quote it",
        'video_setting_instance_groups[1].name: "one" is already video_setting_instance_groups[0].name',
        'video_setting_instance_groups[1].overrides.WIFI.H264.540P.fps: "50" is neither 30 nor 60 fps',
        'video_setting_instance_groups[2]: "two" is not a dictionary',
        "video_setting_instance_groups[3].name: is missing",
        'video_setting_instance_groups[3].instance_ids: "x" is not a list of instance ids',
        "video_setting_instance_groups[4]: neither instance_ids nor instance_ids_file is given",
        f'host a and 1 other: koophone_network_presets: unknown network type "WIFFI" (known: {network_types})',
        f'host a and 1 other: koophone_network_presets.WIFI: unknown preset "hq" (known for WIFI: {shipped}, mine)',
        "host c: koophone_overrides.WIRED.H265.720P.code_rate: 6050 is not a multiple of 100",
        "host d: koophone_instance_id: 12345 is not a string; quote it",
        'host e: koophone_instance_id: "has blanks" is not an instance id (1 to 32 characters, no blanks)',
        "host e: koophone_region: 5 is not a string; quote it",
        'video_setting_allow_empty: "perhaps" is neither true nor false',
    ):
        assert expected in result["mistakes"]
    limits = [mistake for mistake in result["mistakes"] if "a list names no hosts" in mistake]
    assert len(limits) == 2
    assert "'a:b'" in limits[0]
    assert "cut into slices" in limits[1]
    assert len(result["mistakes"]) == 22


def test_mistakes_on_thousands_of_hosts_stay_one_short_message() -> None:
    result = read({f"h{number}": {"koophone_instance_id": number} for number in range(1, 3000)})
    assert len(result["mistakes"]) == 101
    assert "2899 more" in result["mistakes"][-1]


@pytest.mark.parametrize("limit", ["", "all", "*"])
def test_a_limit_that_leaves_nothing_out_is_none(limit: str) -> None:
    assert groups(read(play_values={"video_setting_instance_groups": A_LIST}, limit=limit, sliced=False))


def test_hosts_may_be_limited_and_sliced() -> None:
    assert groups(read(instances("a"), limit="a", sliced=True)) == {"a": ["id-a"]}


def test_the_same_instance_on_two_hosts() -> None:
    same = {"koophone_instance_id": "x"}
    assert groups(read({"a": same, "b": same})) == {"a, b": ["x"]}
    result = read({"a": same, "b": {**same, "koophone_region": "r"}})
    assert result["mistakes"] == ['hosts a and b: koophone_instance_id: both are "x", in different regions']
    result = read({"a": same, "b": {**same, "koophone_network_presets": {"WIFI": "data_saver"}}})
    assert result["mistakes"] == ['hosts a and b: koophone_instance_id: both are "x", with different settings']


def test_hosts_that_disagree_on_a_variable_of_the_play() -> None:
    hosts = {
        **instances("a", "b", video_setting_overrides={"WIFI": {}}, video_setting_retries=3),
        **instances("c", video_setting_overrides={"WIRED": {}}),
    }
    result = read(hosts)
    assert [mistake.split(":")[0] for mistake in result["mistakes"]] == [
        "video_setting_overrides",
        "video_setting_retries",
    ]
    assert "hosts a and c disagree" in result["mistakes"][0]
    assert "koophone_overrides" in result["mistakes"][0]
    # Where the play itself or the role's call sets it, it doesn't matter what the inventory says.
    assert read(hosts, {"video_setting_overrides": {}, "video_setting_retries": 4})["mistakes"] == []


def test_blank_is_as_good_as_none_in_comparing_hosts() -> None:
    hosts = {
        **instances("a", video_setting_overrides=""),
        **instances("b"),
        **instances("c", video_setting_overrides=None),
    }
    assert read(hosts)["mistakes"] == []


def test_a_template_that_differs_by_host_is_found() -> None:
    hosts = instances("a", "b", video_setting_overrides="{{ of_site }}")
    evaluated: dict[str, dict[str, Any]] = {
        "a": {"video_setting_overrides": {}},
        "b": {"video_setting_overrides": {"WIFI": {"H264": {"540P": {"fps": 60}}}}},
    }
    assert "hosts a and b disagree" in read(hosts, evaluated=evaluated)["mistakes"][0]


def test_a_lookup_is_not_evaluated_for_each_host() -> None:
    hosts = instances(*"abcdef", video_setting_auth_token="{{ lookup('vault', 'x') }}", koophone_region="r")
    result = read(hosts, {"video_setting_auth_token": "secret"}, {"a": {"video_setting_auth_token": "secret"}})
    assert result["mistakes"] == []
    assert result["options"] == {"auth_token": "secret"}
    assert set(result["evaluations"]) <= {"a"}


def test_credentials_are_in_no_mistake() -> None:
    hosts = {
        **instances("a", video_setting_auth_token="s3cret-a", video_setting_state_url="postgresql://u:s3cret-b@h/d"),
        **instances("b", video_setting_auth_token="s3cret-c", video_setting_state_url=""),
    }
    result = read(hosts)
    assert len(result["mistakes"]) == 2
    assert "s3cret" not in str(result["mistakes"])


def test_templates_that_cannot_be_evaluated() -> None:
    hosts = instances("a", "b", koophone_region="{{ nope }}", koophone_overrides={"WIFI": "{{ nope }}"})
    evaluated: dict[str, dict[str, Any]] = {
        # As ansible-core before 2.19 does it, and as newer ones do.
        "a": {},
        "b": {"koophone_region": StrictUndefined(name="nope"), "koophone_overrides": StrictUndefined(name="nope")},
    }
    result = read(hosts, {"video_setting_retries": StrictUndefined(name="nope")}, evaluated)
    assert result["mistakes"][0] == "video_setting_retries: cannot be evaluated: 'nope' is undefined"
    assert (
        'host a: koophone_region: cannot be evaluated: "{{ nope }}" refers to something undefined'
        in (result["mistakes"])
    )
    assert "host b: koophone_overrides: cannot be evaluated: 'nope' is undefined" in result["mistakes"]
    assert len(result["mistakes"]) == 5


def test_no_instance_at_all() -> None:
    result = read({"a": {}, "b": {"koophone_instance_id": ""}})
    assert len(result["mistakes"]) == 1
    assert "none of the play's 2 hosts has koophone_instance_id" in result["mistakes"][0]
    assert "video_setting_allow_empty" in result["mistakes"][0]
    assert read({"a": {}}, {"video_setting_allow_empty": "true"})["mistakes"] == []
    assert read({"a": {}}, {"video_setting_instance_groups": [{"name": "x", "instance_ids": []}]})["mistakes"]


def test_batches() -> None:
    hosts = {**instances("a", "b"), "c": {}, "d": {}}
    play = {"video_setting_instance_groups": A_LIST}
    assert groups(read(hosts, play, batch=["a", "c"])) == {"bench": ["x1", "x2"], "a": ["id-a"]}
    # The list was dealt with in the first batch.
    assert groups(read(hosts, play, batch=["b"])) == {"b": ["id-b"]}
    # A batch without an instance is none of a play without one.
    assert groups(read(hosts, batch=["c", "d"])) == {}
    assert read({"c": {}, "d": {}}, batch=["d"])["mistakes"]


def test_text_of_a_survey_is_enough_for_everything() -> None:
    play = {
        "video_setting_instance_groups": "[{name: bench, instance_ids: [x1, '1e5']}]",
        "video_setting_network_presets": '{"WIFI": "data_saver"}',
        "video_setting_overrides": "{'WIFI': {'H264': {'540P': {'fps': '60', 'code_rate': ''}}}}",
        "video_setting_presets": "",
        "video_setting_allow_empty": "false",
    }
    result = read(play_values=play)
    assert groups(result) == {"bench": ["x1", "1e5"]}
    assert result["instance_groups"][0]["settings"]["WIFI"]["H264"]["540P"] == {"code_rate": 1000, "fps": 60}
    as_hosts = read({"a": {"koophone_instance_id": "x1", "koophone_overrides": play["video_setting_overrides"]}})
    assert as_hosts["instance_groups"][0]["settings"]["WIFI"]["H264"]["540P"]["fps"] == 60


@given(
    st.dictionaries(
        st.sampled_from([f"h{number}" for number in range(8)]),
        st.fixed_dictionaries(
            {},
            optional={
                "koophone_instance_id": st.sampled_from(["x1", "x2", "x3", "", None, 5]),
                "koophone_region": st.sampled_from(["r1", "r2", ""]),
                "koophone_network_presets": st.sampled_from([{}, {"WIFI": "data_saver"}, {"WIFI": "nope"}, ""]),
            },
        ),
        min_size=1,
    )
)
def test_every_host_is_in_a_group_or_counted_or_in_a_mistake(hosts: dict[str, dict[str, Any]]) -> None:
    result = read(hosts, {"video_setting_allow_empty": True})
    with_id = {host for host, variables in hosts.items() if variables.get("koophone_instance_id") not in (None, "")}
    assert result["hosts"] == len(hosts)
    assert result["hosts_without_id"] == len(hosts) - len(with_id)
    members = [instance_id for group in result["instance_groups"] for instance_id in group["instance_ids"]]
    if result["mistakes"]:
        assert not members
    else:
        assert sorted(members) == sorted({hosts[host]["koophone_instance_id"] for host in with_id})
        names = [group["name"] for group in result["instance_groups"]]
        assert len(set(names)) == len(names)
    backwards = read(dict(reversed(hosts.items())), {"video_setting_allow_empty": True})
    assert [group["name"] for group in backwards["instance_groups"]] == [
        group["name"] for group in result["instance_groups"]
    ]
