# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An option of the module is in three places; here they are held together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.koophone.fleet.plugins.modules import video_setting
from ansible_collections.koophone.fleet.plugins.plugin_utils._names import HOST_VARIABLES, OPTIONS, PLAY_VARIABLES

ROLE = Path(__file__).parents[4] / "roles" / "video_setting"


def loaded(path: str) -> Any:
    return yaml_load((ROLE / path).read_text(encoding="utf-8"))


@pytest.fixture
def module_options(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    class CalledError(Exception):
        pass

    def capture(**arguments: Any) -> None:
        raise CalledError(arguments["argument_spec"])

    monkeypatch.setattr(video_setting, "AnsibleModule", capture)
    with pytest.raises(CalledError) as called:
        video_setting.main()
    return set(called.value.args[0])


def test_the_role_hands_on_every_option_of_the_module(module_options: set[str]) -> None:
    # The last two are the role's own to set: they come of video_setting_waves, and of the inventory.
    assert {*OPTIONS, "instance_groups", "up_to", "fleet_size"} == module_options


def test_the_task_hands_on_the_options_that_are_set_and_none_else() -> None:
    # An argument that is omitted would hide what module_defaults say.
    [wave] = loaded("tasks/wave.yml")
    for tasks, arguments in ((loaded("tasks/begin.yml"), []), (wave["block"], ["up_to"])):
        [task] = [task for task in tasks if "koophone.fleet.video_setting" in task]
        assert list(task["koophone.fleet.video_setting"]) == ["instance_groups", *arguments]
        assert task["module_defaults"] == {"koophone.fleet.video_setting": "{{ __video_setting_input.options }}"}


def test_every_variable_is_documented() -> None:
    specs = loaded("meta/argument_specs.yml")["argument_specs"]
    [entry_point] = specs
    assert set(specs[entry_point]["options"]) == set(PLAY_VARIABLES)
    text = " ".join(specs[entry_point]["description"])
    assert [name for name in HOST_VARIABLES if name not in text] == []
    # Ansible would insert a task for each host to check the arguments of an entry point that is run.
    assert not (ROLE / "tasks" / f"{entry_point}.yml").exists()


def test_the_role_has_no_defaults() -> None:
    # A default would look like a value that somebody gave, where hosts are compared with the play.
    assert loaded("defaults/main.yml") is None
