# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a job gets of a credential: AWX's own code makes environment and files of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ansible_collections.koophone.fleet.plugins.module_utils._arguments import connection_spec, state_spec
from tests.awx.running import ROOT, Controller, inventory_of
from tests.emulator.handle import Emulator
from tests.inventory.running import Ansible

SPEC = {**connection_spec(), **state_spec()}
# What can be given by the environment, by the name of the variable.
FROM_ENVIRONMENT = {spec["fallback"][1][0]: name for name, spec in SPEC.items() if "fallback" in spec}
# These fields hold what is in a file whose path is the option, or libpq's.
FILES = {"ca_certificate": "ca_path", "state_ca_certificate": ""}
EVERY_FIELD = {
    "endpoint": "https://koophone.example.com",
    "auth_token": "the token",
    "username": "the user",
    "password": "the password",
    "domain_name": "the account",
    "project_name": "the project",
    "iam_endpoint": "https://iam.example.com",
    "access_key": "the access key",
    "secret_key": "the secret key",
    "security_token": "the security token",
    "ca_certificate": "the authorities",
    "state_ca_certificate": "the authorities of the database",
    "insecure_skip_tls_verify": True,
    "service": "ours",
    "state_url": "postgresql://koophone:secret@db/automation",
    "timeout": "20",
    "settle": "90",
    "retries": "3",
    "concurrency": "4",
    "rate_limit": "5",
    "deadline": "1800",
}


def _load() -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!unsafe", lambda loader, node: str(node.value))
    text = (ROOT / "playbooks" / "vars" / "awx_setup.yml").read_text(encoding="utf-8")
    variables = yaml.load(text, Loader)
    return variables["__awx_setup_inputs"], variables["__awx_setup_injectors"]


INPUTS, INJECTORS = _load()
FIELDS = {field["id"]: field for field in INPUTS["fields"]}


def inject(folder: Path, inputs: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """The environment, the one that AWX keeps and shows, and the files; by AWX's own code."""
    api = pytest.importorskip("awx_plugins.interfaces._temporary_private_inject_api")
    (folder / "env").mkdir(parents=True)
    kind = api.ManagedCredentialType("koophone", "KooPhone fleet", "cloud", INPUTS, INJECTORS)
    environment: dict[str, str] = {}
    shown: dict[str, str] = {}
    arguments: list[str] = []
    api.inject_credential(kind, api.Credential(dict(inputs)), environment, shown, arguments, str(folder))
    assert arguments == []
    return environment, shown, {path.name: path.read_text(encoding="utf-8") for path in (folder / "env").iterdir()}


def options(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> dict[str, Any]:
    """The options that a module sees in an environment."""
    for name in FROM_ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    validated = ArgumentSpecValidator(SPEC).validate({})
    assert validated.error_messages == []
    return dict(validated.validated_parameters)


def test_fields_are_as_awx_wants_them() -> None:
    assert len(FIELDS) == len(INPUTS["fields"])
    for name, field in FIELDS.items():
        assert re.fullmatch("[a-zA-Z_]+[a-zA-Z0-9_]*", name)
        assert set(field) <= {"id", "label", "type", "secret", "multiline", "help_text"}
        assert field["type"] in ("string", "boolean")
        if field["type"] == "boolean":
            assert not {"secret", "multiline"} & set(field)
    assert set(INPUTS["required"]) <= set(FIELDS)


def test_every_secret_is_flagged_as_one() -> None:
    secret = {name for name, field in FIELDS.items() if field.get("secret")}
    assert secret == {name for name, spec in SPEC.items() if spec.get("no_log")}


def test_every_option_of_connection_and_state_has_a_field() -> None:
    injected = {name: text for name, text in INJECTORS["env"].items() if name.startswith("KOOPHONE_")}
    assert set(injected) == set(FROM_ENVIRONMENT)
    assert {FILES.get(name) or name for name in FIELDS} - {"state_ca_certificate"} == set(FROM_ENVIRONMENT.values())
    # What AWX doesn't let a credential set.
    assert not any(name.startswith("ANSIBLE_") for name in INJECTORS["env"])


def test_templates_pass_the_check_that_awx_makes() -> None:
    files = {"ca": "EXAMPLE", "state_ca": "EXAMPLE"}
    names = {**dict.fromkeys(FIELDS, "EXAMPLE"), "tower": {"filename": files}}
    for templates in INJECTORS.values():
        for text in templates.values():
            assert text.isascii()
            sandbox = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
            assert sandbox.from_string(text).render(names) == "EXAMPLE"
    assert set(EVERY_FIELD) == set(FIELDS)


@pytest.mark.parametrize("empty", [{}, {**dict.fromkeys(FIELDS, ""), "insecure_skip_tls_verify": False}])
def test_fields_left_empty_leave_every_option_as_it_is_without_a_credential(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, empty: dict[str, Any]
) -> None:
    without = options(monkeypatch, {})
    environment, _shown, files = inject(tmp_path, empty)
    # As AWX does it: the files are there all the same.
    assert environment["KOOPHONE_INSECURE_SKIP_TLS_VERIFY"] == "False"
    assert list(files.values()) == ["", ""]
    assert {value for name, value in environment.items() if name != "KOOPHONE_INSECURE_SKIP_TLS_VERIFY"} == {""}
    assert options(monkeypatch, environment) == without
    assert without["insecure_skip_tls_verify"] is False


def test_every_field_reaches_its_option(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment, shown, files = inject(tmp_path, EVERY_FIELD)
    seen = options(monkeypatch, environment)
    for name, value in EVERY_FIELD.items():
        if name in FILES:
            path = seen["ca_path"] if FILES[name] else environment["PGSSLROOTCERT"]
            assert files[Path(path).name] == value
        else:
            assert seen[name] == (float(value) if isinstance(seen[name], (int, float)) else value)
    for name, field in FIELDS.items():
        if field.get("secret"):
            assert EVERY_FIELD[name] not in shown.values()


def test_a_job_with_nothing_but_what_is_required_plans_and_applies(
    controller: Controller, emulator: Emulator, tmp_path: Path
) -> None:
    inputs = {
        "endpoint": emulator.url,
        "auth_token": emulator.token,
        "state_url": controller.environment["KOOPHONE_STATE_URL"],
    }
    controller.environment, _shown, controller.files = inject(tmp_path / "credential", inputs)
    for playbook, changed, sent in (("plan.yml", 2, 0), ("apply.yml", 2, 1), ("plan.yml", 0, 1)):
        job = controller.run(playbook, inventory_of(["kiosk-1", "kiosk-2"]))
        assert job.status == "successful", job.output
        assert job.result["summary"]["changed"] == changed
        assert emulator.count() == sent


def test_an_inventory_update_lists_the_instances(emulator: Emulator, tmp_path: Path) -> None:
    emulator.add(["0a1b"], name="kiosk-0001", region="cn-north-4")
    environment, _shown, _files = inject(
        tmp_path / "credential", {"endpoint": emulator.url, "auth_token": emulator.token, "state_url": "postgresql://"}
    )
    home = tmp_path / "home"
    home.mkdir()
    project = ROOT / "examples" / "awx" / "project"
    update = Ansible(project, home, emulator.url, emulator.token)
    listed = update.inventory(
        *("-i", "inventory/koophone.yml", "--list", "--export", "--playbook-dir", str(project)),
        **environment,
        INVENTORY_UPDATE_ID="1",
        ANSIBLE_INVENTORY_UNPARSED_FAILED="True",
    )
    assert listed.status == 0, listed.said
    assert listed.hosts["kiosk-0001"]["koophone_instance_id"] == "0a1b"
    assert listed.members("kiosk") == ["kiosk-0001"]
