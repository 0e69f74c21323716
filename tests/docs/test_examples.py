# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every example of the documentation works as it is printed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from ansible_collections.koophone.fleet.plugins.module_utils._errors import ERROR_CODES
from tests.docs.blocks import BLOCKS, ROOT, Block, examples, of_kind
from tests.docs.conftest import Reader
from tests.emulator.codes import AUTH_TOKENS
from tests.emulator.handle import Emulator
from tests.support.postgres import PostgreSQL

# By what they begin with, and why they are not run.
NOT_RUN = {
    "make demo": "tested by itself",
    "make test": "this is what it runs",
    "ansible-galaxy collection install": "needs the network",
    "pip install": "needs the network",
    "ansible-builder build": "needs a container engine; tests/awx has the files of the image made",
    "video_setting_state_url: postgresql://": "a database that is not here; tried with one that is below",
    "export ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "set for every run here",
}


def cases(kind: str) -> Any:
    return pytest.mark.parametrize("block", of_kind(kind), ids=str)


def test_every_example_is_run_or_there_is_a_reason_not_to() -> None:
    neither = [
        str(block)
        for block in BLOCKS
        if block.language in ("sh", "yaml", "sql", "ini", "json")
        and not block.kind
        and not block.text.startswith(tuple(NOT_RUN))
    ]
    assert neither == []
    known = {"", "file", "run", "play", "vars", "sql", "inventory", "awx", "repository"}
    assert {block.kind for block in BLOCKS} <= known
    for beginning in NOT_RUN:
        assert any(block.text.startswith(beginning) for block in BLOCKS), f"{beginning} is not there any more"


@cases("run")
def test_commands_work_as_printed(reader: Reader, emulator: Emulator, block: Block) -> None:
    emulator.add([f"{2 * 16:032x}"], name="kiosk-0001", region="cn-north-4")
    # Where the example brings credentials of its own, it has no others.
    own = re.findall(r"^export (KOOPHONE_\w+)=", block.text, re.MULTILINE)
    token = {} if not own else {"KOOPHONE_AUTH_TOKEN": None}
    output = reader.run("bash", "-euc", block.text, folder=block.folder, **token)
    assert output.count("PLAY RECAP") == block.text.count("ansible-playbook ")
    assert "no hosts matched" not in output
    applied = emulator.count()
    assert (applied > 0) == ("koophone.fleet.apply" in block.text)
    if own:
        kind = "signature" if "KOOPHONE_ACCESS_KEY" in own else "token"
        assert {request["auth"] for request in emulator.requests()} == {kind}
        assert emulator.count(AUTH_TOKENS) == ("KOOPHONE_USERNAME" in own)


# The same in two documents is tried once.
PLAYBOOKS = {block.text: block for block in of_kind("file") if block.text.startswith("- hosts")}


@pytest.mark.parametrize("block", PLAYBOOKS.values(), ids=str)
def test_playbook_files_work_with_the_printed_inventory(reader: Reader, emulator: Emulator, block: Block) -> None:
    (reader.folder / block.name).write_text(block.text, encoding="utf-8")
    assert "+++ after" in reader.run("ansible-playbook", "-i", "inventory.yml", block.name, "--check", "--diff")
    reader.run("ansible-playbook", "-i", "inventory.yml", block.name)
    assert emulator.count() == 1
    assert len(emulator.state()) == 2


LOOKS = [block for block in of_kind("file") if block.text.startswith("- name: Show")]


@pytest.mark.parametrize("block", LOOKS, ids=str)
def test_plays_that_look_show_the_differences_and_send_nothing(
    reader: Reader, emulator: Emulator, block: Block
) -> None:
    (reader.folder / block.name).write_text(block.text, encoding="utf-8")
    assert "+++ after" in reader.run("ansible-playbook", "-i", "inventory.yml", block.name)
    assert emulator.count() == 0


ADOPTS = [block for block in of_kind("file") if block.text.startswith("- name: Take over")]


@pytest.mark.parametrize("block", ADOPTS, ids=str)
def test_plays_that_adopt_send_nothing_and_leave_nothing_to_change(
    reader: Reader, emulator: Emulator, block: Block
) -> None:
    (reader.folder / block.name).write_text(block.text, encoding="utf-8")
    assert "+++ after" in reader.run("ansible-playbook", "-i", "inventory.yml", block.name, "--check", "--diff")
    assert "adopted: this is now" in reader.run("ansible-playbook", "-i", "inventory.yml", block.name)
    arguments = ("-i", "inventory.yml", "koophone.fleet.drift", "-e", "video_setting_fail_on_drift=true")
    assert "drift: 0 differ from what is desired, 0 are unknown" in reader.run("ansible-playbook", *arguments)
    assert emulator.count() == 0


@cases("play")
def test_plays_work(reader: Reader, block: Block) -> None:
    (reader.folder / "play.yml").write_text(block.text, encoding="utf-8")
    reader.run("ansible-playbook", "play.yml")


@cases("vars")
def test_variables_beside_the_inventory_make_a_plan(reader: Reader, block: Block) -> None:
    variables = yaml.safe_load(block.text)
    # What the inventory's own group says of its hosts would hide what is said of all.
    inventory = yaml.safe_load((reader.folder / "inventory.yml").read_text(encoding="utf-8"))
    inventory["kiosks"]["vars"] = {}
    if "video_setting_presets" in variables:
        inventory["kiosks"]["vars"] = {"koophone_network_presets": {"WIFI": "conference"}}
    if "video_setting_instance_groups" in variables:
        inventory = {"all": {"hosts": {"localhost": {}}}}
    (reader.folder / "inventory.yml").write_text(json.dumps(inventory), encoding="utf-8")
    (reader.folder / "group_vars").mkdir()
    (reader.folder / "group_vars" / "all.yml").write_text(block.text, encoding="utf-8")
    with_them = reader.run("ansible-playbook", "-i", "inventory.yml", "koophone.fleet.plan")
    assert "PLAY RECAP" in with_them
    assert "+++ after" in with_them
    for rate in re.findall(r"code_rate: (\d+)", block.text)[:1]:
        # It takes effect.
        assert f"{rate} kbit/s" in with_them


@cases("inventory")
def test_inventory_sources_are_read(reader: Reader, emulator: Emulator, block: Block) -> None:
    emulator.add(["0a1b"], name="kiosk-0001", region="cn-north-4", running_status=2)
    (reader.folder / "koophone.yml").write_text(block.text, encoding="utf-8")
    listed = json.loads(
        reader.run("ansible-inventory", "-i", "koophone.yml", "--list").partition("{")[2].join(["{", ""])
    )
    assert "_meta" in listed


def test_role_with_few_rights_is_enough_as_documented(reader: Reader) -> None:
    [block] = [block for block in of_kind("sql") if block.name == "few rights"]
    [play] = [b for b in of_kind("play") if b.name == "limits"]
    (reader.folder / "play.yml").write_text(play.text, encoding="utf-8")
    with PostgreSQL() as postgres:
        database = postgres.create_database()
        few = postgres.create_role("koophone")
        reader.run("ansible-playbook", "play.yml", KOOPHONE_STATE_URL=postgres.url(database))
        for statement in filter(None, (part.strip() for part in block.text.split(";"))):
            postgres.sql(statement, database=database)
        # It reads, changes and forgets, and is really who it is.
        url = postgres.url(database, few)
        again = reader.run("ansible-playbook", "play.yml", KOOPHONE_STATE_URL=url)
        assert "changed=0" in again
        forced = play.text.replace("instance_groups:", "force: true\n        instance_groups:")
        (reader.folder / "play.yml").write_text(forced, encoding="utf-8")
        assert "changed=1" in reader.run("ansible-playbook", "play.yml", KOOPHONE_STATE_URL=url)
        for forget in [b for b in of_kind("play") if b.name.startswith("forget")]:
            (reader.folder / "forget.yml").write_text(forget.text, encoding="utf-8")
            reader.run("ansible-playbook", "forget.yml", KOOPHONE_STATE_URL=url)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            postgres.sql("CREATE TABLE koophone_fleet.mine (id int)", database=database, user=few)


def api_shape(code_rate: int) -> list[dict[str, Any]]:
    """Settings as the API's reference writes them."""
    group = {f"definition_{name}": {"code_rate": code_rate, "fps": 30} for name in ("540P", "720P", "1080P")}
    return [
        {"network_type": network, "encoding_type": encoding, "video_spec_groups": [group]}
        for network in ("MOBILE_NETWORK", "WIFI", "WIRED")
        for encoding in ("H264", "H265")
    ]


def test_examples_of_the_modules_work(reader: Reader, emulator: Emulator) -> None:
    applying = examples("modules/video_setting.py")
    players = [f"player-{number}" for number in range(10)]
    (reader.folder / "players.txt").write_text("\n".join(players), encoding="utf-8")
    variables = {
        "koophone_token": emulator.token,
        "players_file": str(reader.folder / "players.txt"),
        "players_settings": api_shape(3000),
        "fleet": applying[0]["vars"]["fleet"],
    }
    adopted = {"name": "players", "instance_ids": players, "instance_settings": api_shape(3000)}
    # So that what is left to change is within the example's own max_changed.
    before = [
        {"koophone.fleet.video_setting_record": {"state": "adopted", "instance_groups": [adopted]}},
        {"koophone.fleet.video_setting_record": {"state": "forgotten", "instance_ids": players[:2]}},
    ]
    tasks = [*applying, *examples("modules/video_setting_record.py"), *examples("modules/video_setting_info.py")]
    for name, listed in (("before.yml", before), ("play.yml", tasks)):
        play = {"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": listed}
        (reader.folder / name).write_text(json.dumps([play]), encoding="utf-8")
    reader.run("ansible-playbook", "before.yml")
    checked = reader.run("ansible-playbook", "play.yml", "--check", "--diff")
    assert f"ok={len(tasks)}" in checked
    assert emulator.count() == 0
    applied = reader.run("ansible-playbook", "play.yml")
    assert f"ok={len(tasks)}" in applied
    [request] = emulator.requests()
    assert request["instance_ids"] == players[:2]


def test_examples_of_the_filters_work(reader: Reader, emulator: Emulator) -> None:
    spec = {"540P": {"code_rate": 500, "fps": 30}, "720P": {"code_rate": 900, "fps": 30}}
    preset = {encoding: {**spec, "1080P": {"code_rate": 1900, "fps": 30}} for encoding in ("H264", "H265")}
    networks = {"MOBILE_NETWORK": "small", "WIFI": "large", "WIRED": "large"}
    variables = {"my_presets": {network: {name: preset} for network, name in networks.items()}}
    apply = {
        "koophone.fleet.video_setting": {"instance_groups": "{{ my_input.instance_groups }}"},
        "run_once": True,
        "delegate_to": "localhost",
        "register": "my_result",
    }
    tasks = [*examples("filter/video_setting_input.py"), apply, *examples("filter/video_setting_report.py")]
    play = {"hosts": "all", "gather_facts": False, "connection": "local", "vars": variables, "tasks": tasks}
    (reader.folder / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    inventory = {
        "phones": {"hosts": {"one": {"koophone_instance_id": "0a1b"}, "two": {"koophone_instance_id": "0a1c"}}}
    }
    (reader.folder / "hosts.yml").write_text(json.dumps(inventory), encoding="utf-8")
    output = reader.run("ansible-playbook", "-i", "hosts.yml", "play.yml")
    assert "2 instances in 1 group: 2 changed" in output
    assert emulator.count() == 1


def test_error_codes_are_explained_as_the_code_has_them() -> None:
    text = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z.0-9]+)` \| (.+?) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    documented = {code: (meaning, kind) for code, meaning, kind, _what_to_do in rows}
    assert len(rows) == len(documented)
    assert documented == {code: (known.meaning, known.kind.value) for code, known in ERROR_CODES.items()}


def test_options_that_the_guide_names_exist() -> None:
    from ansible_collections.koophone.fleet.plugins.module_utils._arguments import connection_spec, state_spec

    options = {*connection_spec(), *state_spec()}
    text = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"`(\w+)` \((\d+)(?: seconds)?\)", text))
    assert defaults
    for name, value in defaults.items():
        assert float(connection_spec()[name]["default"]) == float(value)
    for variable in re.findall(r"KOOPHONE_([A-Z_]+)\b", text):
        assert variable.lower() in options


def test_links_between_the_documents_lead_somewhere() -> None:
    for document in {block.document for block in BLOCKS} | {ROOT / "docs" / "service.md"}:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
            assert (document.parent / Path(target)).exists(), f"{document.name}: {target}"
