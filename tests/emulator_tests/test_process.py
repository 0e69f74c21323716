# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import http.client
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.emulator.handle import PROJECT_ROOT, Control, Emulator, EmulatorError
from tests.emulator_tests.api import VIDEO_SETTING, Api, body_of, result_of

COMMAND = [sys.executable, "-m", "tests.emulator"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_quietly(number: signal.Signals, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    arguments = ["--port", "0", "--ready-file", str(ready), "--token", "mine", "--open-fleet"]
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("KooPhone emulator listens on http://127.0.0.1:")
        # The line comes first, the file a moment later.
        while not ready.exists():
            time.sleep(0.02)
        control = Control(ready.read_text(encoding="utf-8").strip(), "mine")
        assert line == f"KooPhone emulator listens on {control.url}\n"
        api = Api(control)
        assert result_of(api.put(body_of("anyone"))) == (200, "0")
        api.session.close()
        process.send_signal(number)
        rest, errors = process.communicate()
    assert (process.returncode, rest, errors) == (0, "", "")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.invalid"])
def test_it_refuses_to_listen_beyond_loopback(host: str) -> None:
    result = subprocess.run(
        [*COMMAND, "--port", "0", "--host", host], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "not a loopback address" in result.stderr


def test_a_port_that_is_taken_is_said_in_one_line(server: Emulator) -> None:
    port = str(urlsplit(server.url).port)
    result = subprocess.run([*COMMAND, "--port", port], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("KooPhone emulator: ")
    assert result.stderr.count("\n") == 1


def test_it_reads_instances_from_files_and_has_them_again_after_a_reset(tmp_path: Path) -> None:
    text, listed = tmp_path / "ids.txt", tmp_path / "ids.json"
    text.write_text("# phones\na\n\n b  # the second\n", encoding="utf-8")
    listed.write_text(json.dumps([{"instance_id": "c", "region": "cn-north-4", "kind": "frozen"}]), encoding="utf-8")
    with Emulator(["--instances", str(text), "--instances", str(listed)]) as emulator:
        emulator.remove(["a"])
        emulator.reset()
        state = emulator.state()
        assert sorted(state) == ["a", "b", "c"]
        assert (state["c"]["region"], state["c"]["kind"], state["a"]["region"]) == ("cn-north-4", "frozen", None)


def test_the_handle_says_why_it_did_not_start(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(EmulatorError, match="missing"):
        Emulator(["--instances", missing])


def test_it_ends_with_the_process_that_started_it() -> None:
    script = (
        "import os, sys\n"
        "from tests.emulator.handle import Emulator\n"
        "emulator = Emulator()\n"
        "print(emulator.url, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    address = urlsplit(result.stdout.strip())
    deadline = time.monotonic() + 20
    while True:
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=5)
        try:
            connection.request("GET", "/_emulator/health")
            connection.getresponse().read()
        except OSError:
            break
        finally:
            connection.close()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_handle_ignores_proxies(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert server.call("GET", "health") == {"ok": True}


def test_it_speaks_tls(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    with Emulator(["--tls-cert", str(cert), "--tls-key", str(key), "--open-fleet"]) as emulator:
        assert emulator.url.startswith("https://127.0.0.1:")
        api = Api(emulator)
        response = api.send("PUT", VIDEO_SETTING, json=body_of("x"), headers=api.headers(), verify=str(cert))
        assert result_of(response) == (200, "0")
        with pytest.raises(requests.exceptions.SSLError):
            api.put(body_of("x"))
        emulator.fault("drop", effect="full")
        with pytest.raises(requests.ConnectionError):
            api.send("PUT", VIDEO_SETTING, json=body_of("y"), headers=api.headers(), verify=str(cert))
        assert emulator.applied("y") is not None
        api.session.close()
        assert emulator.log() == ""


def test_an_unknown_control_call_is_an_error(server: Emulator) -> None:
    with pytest.raises(EmulatorError, match="there is no GET weather"):
        server.call("GET", "weather")


def test_it_shares_no_code_with_the_collection() -> None:
    for path in (PROJECT_ROOT / "tests" / "emulator").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "ansible_collections" not in text
        assert "import plugins" not in text
        assert "from plugins" not in text
