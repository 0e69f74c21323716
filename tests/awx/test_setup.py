# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbook awx_setup asks of awx.awx."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.koophone.fleet.plugins.plugin_utils._names import PLAY_VARIABLES
from tests.awx.running import PROJECT, ROOT
from tests.awx.setting_up import EXAMPLE, SECRETS, Admin, Setup, modules_used

# What is launched by schedules and workflows as well.
REGULAR = ("KooPhone plan", "KooPhone apply", "KooPhone drift", "KooPhone plan, approval, apply")
# What AWX itself knows of types of questions.
TYPES = {"text": str, "multiplechoice": str}


def test_everything_is_made_in_an_order_in_which_what_is_referred_to_is_there(setup: Setup) -> None:
    assert [call.module for call in setup.calls] == [
        "credential_type",
        "credential",
        "execution_environment",
        "project",
        "inventory",
        "inventory_source",
        *["job_template"] * 4,
        "workflow_job_template",
        *["schedule"] * 2,
    ]


def test_a_second_run_asks_for_the_same(admin: Admin) -> None:
    # Both here: other tests ask the same stand-ins for something else.
    first, again = (admin.run("-e", f"@{EXAMPLE}", **SECRETS) for _time in range(2))
    assert again.status == 0, again.output
    assert again.calls == first.calls
    assert "changed=0" in again.output


def test_secrets_are_not_shown(admin: Admin) -> None:
    output = admin.run("-e", f"@{EXAMPLE}", "-vvv", **SECRETS).output
    assert "postgresql://koophone" not in output
    assert "a password" not in output


def test_the_commented_variables_of_the_example_are_the_defaults() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    commented = yaml.safe_load("\n".join(line.removeprefix("# ") for line in lines if line.startswith("# awx_setup_")))
    given = yaml.safe_load("\n".join(lines))
    defaults = yaml.safe_load(
        (ROOT / "playbooks" / "vars" / "awx_setup.yml").read_text(encoding="utf-8").replace("!unsafe ", "")
    )
    public = {name: value for name, value in defaults.items() if not name.startswith("__")}
    assert commented == {name: value for name, value in public.items() if name not in given}
    assert set(given) <= set(public)


def test_every_variable_can_be_given(admin: Admin) -> None:
    given = {
        "awx_setup_project_url": "https://git.example.com/fleet.git",
        "awx_setup_organization": "Phones",
        "awx_setup_credential": "Ours",
        "awx_setup_execution_environment": "Theirs",
        "awx_setup_require_approval": False,
        "awx_setup_approval_timeout": 60,
        "awx_setup_drift_rrule": "",
    }
    setup = admin.run("-e", json.dumps(given))
    assert setup.status == 0, setup.output
    # Neither an image nor the fields of a credential were given.
    assert not {"credential", "execution_environment"} & {call.module for call in setup.calls}
    template = setup.arguments("job_template", "KooPhone apply")
    assert template["organization"] == "Phones"
    assert template["credentials"] == ["Ours"]
    assert template["execution_environment"] == "Theirs"
    assert template["extra_vars"] == {"video_setting_require_approval": False}
    nodes = {node["identifier"]: node for node in setup.arguments("workflow_job_template")["workflow_nodes"]}
    assert nodes["approval"]["unified_job_template"]["timeout"] == 60
    states = {call.arguments["unified_job_template"]: call.arguments["state"] for call in setup.calls[-2:]}
    assert states == {"KooPhone instances": "present", "KooPhone drift": "absent"}


def test_what_is_missing_is_said(admin: Admin) -> None:
    nothing = admin.run()
    assert nothing.status != 0
    assert "awx_setup_project_url is not set" in nothing.output
    # The environment that the example looks secrets up in.
    secretless = admin.run("-e", f"@{EXAMPLE}")
    assert secretless.status != 0
    assert "awx_setup_credential_inputs.state_url is not set" in secretless.output
    assert nothing.calls == secretless.calls == []


def test_without_the_collection_the_error_says_how_to_install_it(tmp_path: Path) -> None:
    if _documentation():
        pytest.skip("awx.awx is installed")
    setup = Admin(tmp_path).run("-e", f"@{EXAMPLE}")
    assert setup.status != 0
    assert "ansible-galaxy collection install awx.awx" in setup.output


def test_playbooks_and_inventory_are_where_the_project_has_them(setup: Setup) -> None:
    source = setup.arguments("inventory_source")
    assert (PROJECT / source["source_path"]).is_file()
    for call in setup.calls:
        if call.module == "job_template":
            assert (PROJECT / call.arguments["playbook"]).is_file()


def test_the_workflow_lists_plans_waits_and_applies(setup: Setup) -> None:
    workflow = setup.arguments("workflow_job_template")
    nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
    order, path = ["list"], nodes["list"]
    while "related" in path:
        [following] = path["related"]["success_nodes"]
        assert list(path["related"]) == ["success_nodes"]
        order.append(following["identifier"])
        path = nodes[order[-1]]
    assert order == list(nodes) == ["list", "plan", "approval", "apply"]
    templates = {name: node["unified_job_template"] for name, node in nodes.items()}
    assert templates["approval"]["type"] == "workflow_approval"
    assert templates["list"]["name"] == setup.arguments("inventory_source")["name"]
    assert setup.arguments("job_template", templates["plan"]["name"])["playbook"] == "plan.yml"
    assert setup.arguments("job_template", templates["apply"]["name"])["playbook"] == "apply.yml"


def test_nobody_gets_round_the_approval_by_launching(setup: Setup) -> None:
    for call in setup.calls:
        if call.module in ("job_template", "workflow_job_template"):
            assert call.arguments["ask_variables_on_launch"] is False
    for asked in setup.questions.values():
        assert not {"video_setting_approved_plan", "video_setting_require_approval"} & {q["variable"] for q in asked}
    assert setup.arguments("job_template", "KooPhone apply")["extra_vars"] == {"video_setting_require_approval": True}
    # Slices would each have a plan of their own.
    assert {call.arguments["job_slice_count"] for call in setup.calls if call.module == "job_template"} == {1}


def test_whatever_makes_the_plan_is_asked_by_the_workflow_for_both(setup: Setup) -> None:
    asked = {name: [question["variable"] for question in questions] for name, questions in setup.questions.items()}
    assert asked["KooPhone plan, approval, apply"] == asked["KooPhone apply"]
    assert set(asked["KooPhone plan"]) <= set(asked["KooPhone apply"])


def test_surveys_need_no_answer_and_ask_for_variables_that_there_are(setup: Setup) -> None:
    assert set(setup.questions) == {*REGULAR, "KooPhone forget"}
    for name in REGULAR:
        questions = setup.questions[name]
        assert len({question["variable"] for question in questions}) == len(questions)
        for question in questions:
            assert question["required"] is False
            assert isinstance(question["default"], TYPES[question["type"]])
            assert {"question_name", "question_description"} <= set(question)
            if question["type"] == "multiplechoice":
                assert question["default"] in question["choices"]
                assert all(isinstance(choice, str) for choice in question["choices"])
            else:
                assert (question["default"], question["min"]) == ("", 0)
            assert question["variable"] in {*PLAY_VARIABLES, "video_setting_hosts"}


def test_nothing_is_forgotten_that_nobody_named(setup: Setup) -> None:
    [question] = setup.questions["KooPhone forget"]
    assert (question["variable"], question["required"], question["min"]) == ("video_setting_hosts", True, 1)


def _documentation() -> dict[str, dict[str, Any]]:
    """The options of each module of awx.awx, where the collection is installed."""
    command = [str(Path(sys.executable).with_name("ansible-doc")), "--type", "module", "--json"]
    documented = {}
    for name in sorted(set(modules_used())):
        process = subprocess.run(
            [*command, f"awx.awx.{name}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ,
            check=False,
        )
        found = json.loads(process.stdout) if process.returncode == 0 and process.stdout.strip() else {}
        if found:
            documented[name] = found[f"awx.awx.{name}"]["doc"]["options"]
        else:
            return {}
    return documented


def _check(options: dict[str, Any], arguments: dict[str, Any], place: str) -> None:
    known = {alias: option for name, option in options.items() for alias in (name, *option.get("aliases", []))}
    missing = [name for name, option in options.items() if option.get("required") and name not in arguments]
    assert missing == [], place
    for name, value in arguments.items():
        assert name in known, f"{place}: {name}"
        option = known[name]
        expected = {"str": str, "bool": bool, "int": int, "dict": dict, "list": list}[option.get("type", "str")]
        assert isinstance(value, expected), f"{place}.{name}: {value!r}"
        assert "choices" not in option or value in option["choices"], f"{place}.{name}"
        if option.get("suboptions"):
            for number, element in enumerate(value if isinstance(value, list) else [value]):
                _check(option["suboptions"], element, f"{place}.{name}[{number}]")


def test_every_argument_is_one_that_the_module_documents(setup: Setup) -> None:
    documented = _documentation()
    if not documented:
        pytest.skip("awx.awx is not installed: ansible-galaxy collection install awx.awx")
    for call in setup.calls:
        _check(documented[call.module], call.arguments, call.module)
