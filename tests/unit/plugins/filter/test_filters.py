# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only the filters themselves do; the rest is in plugin_utils."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ansible_collections.koophone.fleet.plugins.filter.video_setting_input import FilterModule as Input
from ansible_collections.koophone.fleet.plugins.filter.video_setting_report import FilterModule as Report

PLAY: dict[str, Any] = {
    "play_hosts": ["a"],
    "groups": {"all": ["a"]},
    "names": ["video_setting_retries"],
    "presets": {},
    "network_presets": {},
}

SPECS = {
    encoding_type: {definition: {"code_rate": 1000, "fps": 30} for definition in ("540P", "720P", "1080P")}
    for encoding_type in ("H264", "H265")
}


def read(hostvars: dict[str, Any], value: Any, **arguments: Any) -> Any:
    context = SimpleNamespace(resolve_or_missing=lambda _name: value)
    return Input().filters()["video_setting_input"](context, hostvars, ["a"], **{**PLAY, **arguments})


def test_a_defect_is_not_hidden() -> None:
    # The shipped presets can't be missing.
    result = read({"a": {"koophone_instance_id": "x"}}, 3)
    assert len(result["mistakes"]) == 1
    assert result["mistakes"][0].startswith("internal error, please report it: KeyError")


def test_the_number_of_slices_may_be_text() -> None:
    presets = {name: {"balanced": SPECS} for name in ("MOBILE_NETWORK", "WIFI", "WIRED")}
    arguments = {
        "names": ["video_setting_instance_groups"],
        "presets": presets,
        "network_presets": dict.fromkeys(presets, "balanced"),
    }
    groups = [{"name": "g", "instance_ids": ["x"]}]
    assert read({"a": {}}, groups, limit=" ", slices="1", **arguments)["mistakes"] == []
    [mistake] = read({"a": {}}, groups, limit=" ", slices="2", **arguments)["mistakes"]
    assert "cut into slices" in mistake


def test_report() -> None:
    given = {"mistakes": ["a: b"]}
    result = Report().filters()["video_setting_report"]({"skipped": True}, given, False)
    assert result["failed"] is True
