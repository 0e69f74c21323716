# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""What a play is for, and how it goes about it: looked at or applied, approved or not, in waves. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.koophone.fleet.plugins.plugin_utils._values import counted, to_boolean
from ansible_collections.koophone.fleet.plugins.plugin_utils._waves import parse_max_failures, parse_waves

APPLY, PLAN, DRIFT, ADOPT = "apply", "plan", "drift", "adopt"
# What says how to apply, and is nothing to a memory that is edited.
_OF_APPLYING = ("batch_size", "force", "max_age", "max_changed", "approved_plan")
_APPROVED, _REQUIRE, _WAVES, _MAX_FAILURES, _FAIL_ON_DRIFT = (
    "video_setting_approved_plan",
    "video_setting_require_approval",
    "video_setting_waves",
    "video_setting_max_failures",
    "video_setting_fail_on_drift",
)


@dataclass(frozen=True)
class Play:
    """What there is to know of a play, besides the variables of the role."""

    # The active hosts of the play, and those of the batch that runs now; the same without `serial`.
    hosts: Collection[str]
    batch: list[str]
    inventory_groups: Mapping[str, Collection[str]]
    # The folder in which Ansible was started.
    folder: Path
    limit: str = ""
    sliced: bool = False
    purpose: str = APPLY
    check_mode: bool = False

    @property
    def part(self) -> str:
        """Which part of what is to be done this is, in words; '' where it is all of it."""
        if self.sliced:
            return "a slice of a job"
        if len(self.batch) < len(self.hosts):
            return f"a batch of {counted(len(self.batch), 'host')} (serial)"
        return ""


def is_sliced(slices: int, workflow: str, template: str) -> bool:
    """Whether a job of AWX is one of several slices.

    Not every AWX tells their number; but the workflow that it makes of a sliced job is named like the job's template.
    """
    return slices > 1 or bool(workflow and workflow == template)


def parse_course(
    play: Play,
    values: Mapping[str, Any],
    options: dict[str, Any],
    size_of_fleet: Callable[[], int],
    mistakes: list[str],
) -> dict[str, Any]:
    """How the play goes about it; the module's `options` are made to fit."""
    if play.purpose == ADOPT:
        for option in _OF_APPLYING:
            options.pop(option, None)
    if play.purpose == DRIFT:
        # What differs is reported, however much it is, and nothing else is.
        for option in ("max_changed", "force"):
            options.pop(option, None)
    waves = parse_waves(values.get(_WAVES), _WAVES, mistakes)
    max_failures = parse_max_failures(values.get(_MAX_FAILURES), _MAX_FAILURES, mistakes)
    fail_on_drift = to_boolean(values.get(_FAIL_ON_DRIFT), _FAIL_ON_DRIFT, mistakes)
    approval_required = to_boolean(values.get(_REQUIRE), _REQUIRE, mistakes)
    if waves and to_boolean(options.get("force"), "video_setting_force", []):
        mistakes.append(
            f"{_WAVES}: waves cannot be combined with video_setting_force: each would send to those before it again;"
            " have the instances forgotten instead (video_setting_record, state: forgotten), or leave the waves out"
        )
    if play.purpose == APPLY:
        _check_approval(play, approval_required, options, mistakes)
    else:
        # What is looked at needs no approval, and may be what is to be approved next.
        options.pop("approved_plan", None)
    # A slice of AWX has no more inventory than its own hosts.
    if str(options.get("max_changed", "")).strip().endswith("%"):
        options["fleet_size"] = max(1, size_of_fleet())
    if waves and play.check_mode and play.purpose == APPLY:
        # What all waves together would do.
        options["up_to"] = waves[-1]
    if play.check_mode or play.purpose != APPLY:
        # A plan shows all that it is the approval of.
        waves = []
    return {
        "purpose": play.purpose,
        "part": play.part,
        "waves": waves,
        "max_failures": max_failures,
        "fail_on_drift": fail_on_drift,
    }


def _check_approval(play: Play, required: bool, options: Mapping[str, Any], mistakes: list[str]) -> None:
    approved = options.get("approved_plan")
    if play.part and (required or approved):
        mistakes.append(
            f"{_APPROVED if approved else _REQUIRE}: this is {play.part}, and an approval is of one plan for all;"
            " apply it in one piece, or without an approval"
        )
    elif required and not approved:
        mistakes.append(
            f"{_APPROVED}: is empty, but {_REQUIRE} is true; give the digest of the plan that was approved (what the"
            " plan published may have got lost on its way here)"
        )
