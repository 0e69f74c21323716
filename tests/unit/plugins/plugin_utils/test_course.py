# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a play is for, and how it goes about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.koophone.fleet.plugins.plugin_utils._course import Play, is_sliced, parse_course

HOSTS = ["a", "b", "c"]
DIGEST = "0" * 64


def course(
    values: dict[str, Any] | None = None, options: dict[str, Any] | None = None, **play: Any
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """What comes of it, the options as they are then, and the mistakes."""
    mistakes: list[str] = []
    given = dict(options or {})
    fields = {"hosts": HOSTS, "batch": HOSTS, "inventory_groups": {}, "folder": Path("/"), **play}
    return parse_course(Play(**fields), values or {}, given, lambda: 70, mistakes), given, mistakes


@pytest.mark.parametrize("purpose", ["plan", "drift"])
def test_to_look_needs_no_approval(purpose: str) -> None:
    _course, options, mistakes = course(
        {"video_setting_require_approval": True}, {"approved_plan": DIGEST}, purpose=purpose, sliced=True
    )
    assert "approved_plan" not in options
    assert mistakes == []


def test_what_is_approved_is_handed_on() -> None:
    for required in (True, "yes", False, ""):
        _course, options, mistakes = course({"video_setting_require_approval": required}, {"approved_plan": DIGEST})
        assert options == {"approved_plan": DIGEST}
        assert mistakes == []


def test_share_that_may_change_is_of_the_fleet_and_a_number_is_a_number() -> None:
    assert course({}, {"max_changed": "20%"})[1] == {"max_changed": "20%", "fleet_size": 70}
    assert course({}, {"max_changed": "20"})[1] == {"max_changed": "20"}
    # What differs is reported, however much it is.
    assert course({}, {"max_changed": "20%"}, purpose="drift")[1] == {}


@pytest.mark.parametrize(
    ("play", "waves", "up_to"),
    [
        ({}, ["1%", "10%"], None),
        ({"check_mode": True}, [], "10%"),
        # It shows all that it is the approval of.
        ({"purpose": "plan"}, [], None),
        ({"purpose": "drift"}, [], None),
    ],
)
def test_waves_are_for_applying_and_to_look_ahead_is_to_look_at_all_of_them(
    play: dict[str, Any], waves: list[str], up_to: str | None
) -> None:
    found, options, mistakes = course({"video_setting_waves": "1%, 10%"}, **play)
    assert found["waves"] == waves
    assert options.get("up_to") == up_to
    assert mistakes == []


def test_waves_are_not_forced() -> None:
    for forced, mistaken in ((True, 1), ("true", 1), (False, 0), ("", 0)):
        assert len(course({"video_setting_waves": ["1%"]}, {"force": forced})[2]) == mistaken
    # What differs is reported, not what would be sent.
    assert course({"video_setting_waves": ["1%"]}, {"force": True}, purpose="drift")[1:] == ({}, [])


def test_adopting_takes_none_of_the_options_that_say_how_to_apply() -> None:
    options = {"endpoint": "https://a", "state_url": "sqlite:////a", "service": "s", "retries": 3, "timeout": 5}
    applying = {"force": True, "max_age": "1d", "max_changed": "5%", "approved_plan": DIGEST, "batch_size": 5}
    found, left, mistakes = course({"video_setting_waves": "1%"}, {**options, **applying}, purpose="adopt")
    assert left == options
    assert (found["waves"], mistakes) == ([], [])


def test_part_is_named() -> None:
    assert course()[0]["part"] == ""
    assert course(batch=["a"])[0]["part"] == "a batch of 1 host (serial)"
    assert course(sliced=True)[0]["part"] == "a slice of a job"


@pytest.mark.parametrize(
    ("slices", "workflow", "template", "sliced"),
    [
        (0, "", "", False),
        (1, "", "Apply", False),
        (3, "", "Apply", True),
        (0, "Apply", "Apply", True),
        (0, "Video settings", "Apply", False),
    ],
)
def test_slices_are_recognised_by_their_number_or_by_their_workflow(
    slices: int, workflow: str, template: str, sliced: bool
) -> None:
    assert is_sliced(slices, workflow, template) == sliced
