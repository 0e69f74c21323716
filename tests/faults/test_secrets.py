# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials appear nowhere: everything that Ansible prints or keeps, at its most talkative, is searched for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.emulator.codes import AUTH_TOKENS
from tests.emulator.handle import Emulator
from tests.faults import identity
from tests.faults.identity import ACCESS_KEY, PASSWORD, SECRET_KEY, SECURITY_TOKEN, TELLTALE, TOKEN
from tests.support.fleets import A, B

DATABASE_PASSWORD = "S3CRETdatabase%2Fpassword"
# Each with the credentials that it echoes, in whatever spelling.
FAULTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "error": ("token", "error", {"echo_headers": True, "error_msg": f"token {TOKEN} is no good"}),
    "code": ("token", "error", {"http_status": 400, "error_code": f"X {TOKEN}"}),
    "proxy": ("chain", "html", {"http_status": 502, "echo_headers": True}),
    "page": ("iam", "html", {"http_status": 200, "echo_headers": True}),
    "redirect": ("chain", "redirect", {"location": f"http://127.0.0.2/?{quote(SECURITY_TOKEN, safe='')}"}),
    "escaped": ("chain", "text", {"http_status": 500, "body": SECURITY_TOKEN.replace("/", "\\/")}),
}
WAYS: dict[str, dict[str, Any]] = {
    "token": {"auth_token": TOKEN},
    "iam": {
        "username": identity.USERNAME,
        "password": PASSWORD,
        "domain_name": identity.DOMAIN,
        "project_name": identity.PROJECT,
    },
    "temporary key": {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "security_token": SECURITY_TOKEN},
    # From the vendor's provider chain, of which Ansible knows nothing.
    "chain": {},
}


def tasks(emulator: Emulator, state: Path) -> list[dict[str, Any]]:
    """Success with each kind of credentials, and each kind of failure."""

    def task(instance_id: str, way: str, **options: Any) -> dict[str, Any]:
        group = {
            "name": "g",
            "instance_ids": [instance_id],
            "region": "r",
            "settings": options.pop("value", A).nested(),
        }
        given = {
            "instance_groups": [group],
            "endpoint": emulator.url,
            "iam_endpoint": emulator.url,
            "state_url": f"sqlite:///{state}",
            "retries": 0,
            "settle": 0.0,
            "timeout": 5.0,
            **WAYS[way],
            **options,
        }
        return {"name": f"{instance_id} by {way}", "koophone.fleet.video_setting": given, "ignore_errors": True}

    listed = [task("good", way, value=(A, B)[number % 2]) for number, way in enumerate(WAYS)]
    listed += [task(name, way) for name, (way, _kind, _fields) in FAULTS.items()]
    listed += [
        task("wrong", "token", auth_token=TELLTALE + "-wrong"),
        task("wrong", "iam", password=TELLTALE + "-wrong"),
        task("wrong", "temporary key", secret_key=TELLTALE + "-wrong"),
        task("mistake", "token", auth_token=f"{TOKEN}\nand more", retries=-1),
        task("mistake", "token", endpoint=f"http://someone:{PASSWORD}@127.0.0.1"),
        task("mistake", "iam", iam_endpoint=f"http://someone:{PASSWORD}@127.0.0.1"),
        task("mistake", "token", state_url=f"mysql://someone:{DATABASE_PASSWORD}@db/fleet"),
        task("database", "token", state_url=f"postgresql://someone:{DATABASE_PASSWORD}@[bad/fleet"),
    ]
    return listed


@pytest.fixture
def folder(emulator: Emulator, tmp_path: Path) -> Path:
    """A private data folder as ansible-runner takes it, and an emulator that accepts every kind of credentials."""
    emulator.config(
        static_tokens=[TOKEN],
        iam_password=PASSWORD,
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        security_token=SECURITY_TOKEN,
    )
    emulator.add(["good", "wrong", "mistake", "database", *FAULTS], region="r")
    for name, (_way, kind, fields) in FAULTS.items():
        emulator.fault(kind, **fields, ids=[name], times=None)
    project = tmp_path / "data" / "project"
    project.mkdir(parents=True)
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": tasks(emulator, tmp_path / "state" / "f"),
    }
    # The play itself is the user's own file: it holds what they wrote into it, and so is kept apart.
    variables = tmp_path / "play" / "play.yml"
    variables.parent.mkdir()
    variables.write_text(json.dumps([play]), encoding="utf-8")
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOG_PATH": str(folder / "data" / "ansible.log"),
        "HUAWEICLOUD_SDK_AK": ACCESS_KEY,
        "HUAWEICLOUD_SDK_SK": SECRET_KEY,
        "HUAWEICLOUD_SDK_SECURITY_TOKEN": SECURITY_TOKEN,
        # A password in the address of a proxy is a secret too.
        "https_proxy": f"http://someone:{TELLTALE}@127.0.0.1:9",
        "no_proxy": "127.0.0.1",
    }


def spellings() -> set[bytes]:
    """No value as it is, nor its telltale beginning, in whatever way the rest was written."""
    whole = (TOKEN, PASSWORD, ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN, DATABASE_PASSWORD)
    return {TELLTALE.encode(), *(value.encode() for value in whole)}


def assert_clean(places: Mapping[str, bytes]) -> None:
    found = {
        name: content[max(0, at - 150) : at + 80]
        for name, content in places.items()
        for secret in spellings()
        if (at := content.find(secret)) >= 0
    }
    assert found == {}


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run_playbook(folder: Path, *arguments: str) -> str:
    process = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), folder / "play" / "play.yml", *arguments],
        cwd=folder / "data",
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return process.stdout


def test_credentials_are_nowhere_in_output_log_and_state_store(folder: Path, emulator: Emulator) -> None:
    output = run_playbook(folder, "-vvvv", "--diff")
    # It was a run worth searching: everything happened, and the bodies that echo were shown.
    assert output.count("...ignoring") == len(FAULTS) + 8, output[-3000:]
    assert "ok=" in output
    assert "********" in output
    assert "+++ after" in output
    assert emulator.count() >= 4 + len(FAULTS)
    assert emulator.count(AUTH_TOKENS) >= 3
    places = {"output": output.encode(), **files_of(folder / "data"), **files_of(folder / "state")}
    assert any(name.endswith("ansible.log") for name in places)
    assert any(content.startswith(b"SQLite") for content in places.values())
    assert_clean(places)


def test_credentials_are_nowhere_in_check_mode(folder: Path) -> None:
    output = run_playbook(folder, "-vvvv", "--check", "--diff")
    assert output.count("...ignoring") == 5, output[-3000:]
    assert_clean({"output": output.encode(), **files_of(folder / "data")})


def test_credentials_are_nowhere_in_the_artifacts_of_ansible_runner(folder: Path) -> None:
    pytest.importorskip("ansible_runner")
    process = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-runner"),
            "run",
            folder / "data",
            "--playbook",
            str(folder / "play" / "play.yml"),
            "--ident",
            "it",
            "-vv",
        ],
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    artifacts = files_of(folder / "data" / "artifacts" / "it")
    events = [json.loads(content) for name, content in artifacts.items() if "job_events" in name]
    assert sum(event["event"] == "runner_on_failed" for event in events) >= len(FAULTS), process.stdout[-3000:]
    # It keeps the command and the environment that it was started with, which are the user's own.
    artifacts = {name: content for name, content in artifacts.items() if not name.endswith("/command")}
    assert_clean({"output": process.stdout.encode(), **artifacts})
