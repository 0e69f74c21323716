# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The names of the role's variables: what is the play's, what is a host's, and what was probably meant by another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ansible_collections.koophone.fleet.plugins.plugin_utils._values import is_unset, to_text

# Options of the module `video_setting` that the role hands on as `video_setting_<option>`, whatever their type: the
# module reads the texts that surveys give. One more option is one more line here, and its words in the role's
# meta/argument_specs.yml; a test compares both with the module.
OPTIONS = (
    "endpoint",
    "auth_token",
    "username",
    "password",
    "domain_name",
    "project_name",
    "iam_endpoint",
    "access_key",
    "secret_key",
    "security_token",
    "insecure_skip_tls_verify",
    "ca_path",
    "timeout",
    "settle",
    "claim_timeout",
    "service",
    "retries",
    "concurrency",
    "rate_limit",
    "deadline",
    "batch_size",
    "state_url",
    "history_age",
    "force",
    "max_age",
    "max_changed",
    "approved_plan",
)

# The play's own variables, and what is meant where hosts disagree on one of them.
PLAY_VARIABLES = {
    "video_setting_instance_groups": "a host is an instance when it has koophone_instance_id",
    "video_setting_presets": "define all presets for the whole play, and choose a host's with koophone_network_presets",
    "video_setting_network_presets": "a host's own are koophone_network_presets",
    "video_setting_overrides": "a host's own are koophone_overrides",
    **{
        f"video_setting_{name}": "there is no koophone_* variable for this"
        for name in ("allow_empty", "require_approval", "waves", "max_failures", "fail_on_drift", *OPTIONS)
    },
}
HOST_VARIABLES = ("koophone_instance_id", "koophone_region", "koophone_network_presets", "koophone_overrides")

# Not read by the filter, but no mistakes: of the playbooks, what the role registers, and what it publishes, which AWX
# hands to the next job of a workflow.
_OTHERS = ("video_setting_hosts", "video_setting_result", "video_setting_plan", "video_setting_drift")
_OF_THE_OTHER_NAMESPACE = {
    "video_setting_instance_id": "koophone_instance_id",
    "video_setting_region": "koophone_region",
    "koophone_instance_groups": "video_setting_instance_groups",
    "koophone_presets": "video_setting_presets",
}


def misspelt(names: Iterable[str]) -> list[str]:
    """A mistake for each name that is so near to one of the role's that its value would be missed.

    A name that is near to none is the user's own business.
    """
    known = (*PLAY_VARIABLES, *HOST_VARIABLES, *_OTHERS)
    mistakes = []
    for name in sorted(set(names).difference(known)):
        prefix = "koophone_" if name.startswith("koophone_") else "video_setting_"
        suffixes = [other.removeprefix(prefix) for other in known if other.startswith(prefix)]
        near = get_close_matches(name.removeprefix(prefix), suffixes, n=1, cutoff=0.8)
        meant = _OF_THE_OTHER_NAMESPACE.get(name) or (f"{prefix}{near[0]}" if near else None)
        if meant:
            mistakes.append(f"{name}: unknown variable; {meant} may be meant")
    return mistakes


def parse_options(values: dict[str, Any], folder: Path, mistakes: list[str]) -> dict[str, Any]:
    """The module's options that are given; relative paths in them count from `folder`."""
    options: dict[str, Any] = {}
    for option in OPTIONS:
        value = values.get(f"video_setting_{option}")
        if is_unset(value):
            continue
        absolute = _ABSOLUTE.get(option)
        if absolute is not None:
            text = to_text(value, f"video_setting_{option}", mistakes)
            value = None if text is None else absolute(text, folder)
        options[option] = value
    return options


def absolute_path(path: str, folder: Path) -> str:
    """A path that is good from anywhere; a relative one counts from `folder`."""
    return str(folder / Path(path.strip()).expanduser())


def _absolute_state_url(url: str, folder: Path) -> str:
    """An SQLite URL has three slashes before a relative path and four before an absolute one."""
    scheme, separator, path = url.strip().partition(":///")
    if scheme != "sqlite" or not path or path.startswith("/"):
        return url.strip()
    return f"{scheme}{separator}{absolute_path(path, folder)}"


_ABSOLUTE: dict[str, Callable[[str, Path], str]] = {"ca_path": absolute_path, "state_url": _absolute_state_url}
