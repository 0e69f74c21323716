# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests' side of the emulator: start it, arrange it, look at it. Standard library only."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

from .codes import VIDEO_SETTING
from .config import DEFAULT_TOKEN

PROJECT_ROOT = Path(__file__).resolve().parents[2]
_STOP_SECONDS = 10.0


class EmulatorError(Exception):
    """The emulator didn't start, or refused a control call."""


class Control:
    """The control API of an emulator that is already running.

    Settings are nested: network type, encoding type, definition (``540P``, ``720P``, ``1080P``), then ``code_rate``
    (kbit/s) and ``fps``.
    """

    def __init__(self, url: str, token: str = DEFAULT_TOKEN) -> None:
        self.url = url.rstrip("/")
        self.token = token

    def call(self, method: str, what: str, document: Any = None, **query: str) -> Any:
        """One control call; returns the answer's JSON."""
        address = urlsplit(self.url)
        # A connection of its own, straight to the address: whatever proxy the environment names is not asked.
        connection: http.client.HTTPConnection
        if address.scheme == "https":
            # The certificate is the test's subject, not this call's safeguard.
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            connection = http.client.HTTPSConnection(str(address.hostname), address.port, timeout=60, context=context)
        else:
            connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
        try:
            target = f"/_emulator/{what}" + (f"?{urlencode(query)}" if query else "")
            body = None if document is None else json.dumps(document)
            connection.request(method, target, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise EmulatorError(f"{method} {what}: {answer.get('error', answer)}")
        return answer

    def reset(self) -> None:
        """Back to how the emulator was started: its instances, no faults, an empty journal."""
        self.call("POST", "reset")

    def add(self, ids: Iterable[str], region: str | None = None, **attributes: Any) -> None:
        """Add instances, or change their attributes (``kind``, ``passes_after``, ``name``, ``sku``, …)."""
        if region is not None:
            attributes["region"] = region
        self.call("POST", "instances", {"instance_ids": list(ids), **attributes})

    def remove(self, ids: Iterable[str]) -> None:
        """Take instances away: from now on they don't exist."""
        self.call("POST", "instances/remove", {"instance_ids": list(ids)})

    def reset_instances(self, ids: Iterable[str]) -> None:
        """Make instances forget their settings, behind the back of the API: no request is journalled."""
        self.call("POST", "instances/forget", {"instance_ids": list(ids)})

    def fault(self, kind: str, **fields: Any) -> None:
        """Add a fault of this kind with its fields and selectors."""
        self.call("POST", "faults", [{"kind": kind, **fields}])

    def clear_faults(self) -> None:
        """Take back all faults."""
        self.call("DELETE", "faults")

    def faults(self) -> list[dict[str, Any]]:
        """The faults with what is left of them (``times``, ``skip``) and how often each has struck (``hits``)."""
        return list(self.call("GET", "faults"))

    def config(self, **fields: Any) -> dict[str, Any]:
        """Change configuration fields; returns the whole configuration."""
        if fields:
            self.call("POST", "config", fields)
        return dict(self.call("GET", "config"))

    def expire_tokens(self, token: str | None = None) -> None:
        """Let one token expire now; None lets all do."""
        self.call("POST", "tokens/expire", {"token": token})

    def tokens(self) -> dict[str, list[str]]:
        """The ``static`` tokens and those that were ``issued``."""
        return dict(self.call("GET", "tokens"))

    def requests(self, path: str | None = VIDEO_SETTING) -> list[dict[str, Any]]:
        """The journal in order of arrival, of one path or with None of all."""
        return list(self.call("GET", "requests", **({} if path is None else {"path": path})))

    def counts(self) -> dict[str, dict[str, Any]]:
        """Per path ``total`` and ``outcomes`` ("200 0", "dropped", "pending", …)."""
        return dict(self.call("GET", "counts"))

    def count(self, path: str = VIDEO_SETTING) -> int:
        """How many HTTP requests came in for a path."""
        return int(self.counts().get(path, {}).get("total", 0))

    def state(self, ids: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """The truth by instance id, of all or some.

        ``region``, ``kind``, ``settings`` (nested or None), ``settings_digest``, ``writes``, ``last_request_id``.
        Equal settings are one shared object.
        """
        answer = self.call("GET", "state") if ids is None else self.call("POST", "state", {"instance_ids": list(ids)})
        table = answer["settings"]
        state: dict[str, dict[str, Any]] = answer["instances"]
        for instance in state.values():
            instance["settings"] = table.get(instance["settings_digest"])
        return state

    def settings_of(self, instance_id: str) -> dict[str, Any] | None:
        """The settings that the instance has, nested; None where it has none."""
        settings: dict[str, Any] | None = self._instance(instance_id)["settings"]
        return settings

    def applied(self, instance_id: str) -> str | None:
        """The digest of the settings that the instance has; None where it has none."""
        digest: str | None = self._instance(instance_id)["settings_digest"]
        return digest

    def settings_by_digest(self) -> dict[str, dict[str, Any]]:
        """Every distinct settings that any request carried."""
        return dict(self.call("GET", "settings"))

    def conflicts(self) -> list[dict[str, Any]]:
        """Pairs of requests with different settings for one instance that were in flight at once."""
        return list(self.call("GET", "conflicts")["conflicts"])

    def repeated_request_ids(self) -> list[str]:
        """The request ids that came in more than once."""
        return list(self.call("GET", "conflicts")["repeated_request_ids"])

    def _instance(self, instance_id: str) -> dict[str, Any]:
        try:
            return self.state([instance_id])[instance_id]
        except KeyError:
            raise EmulatorError(f"there is no instance {instance_id}") from None


class Emulator(Control):
    """An emulator in a process of its own, on a free port, for the duration of a ``with`` block.

    It also ends when the process that started it does, however that happens.
    """

    def __init__(
        self,
        arguments: Sequence[str] = (),
        *,
        token: str = DEFAULT_TOKEN,
        port: int = 0,
        python: str = sys.executable,
        start_timeout: float = 30.0,
    ) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        # Open for as long as the emulator is; stop() closes it.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        with tempfile.TemporaryDirectory(prefix="koophone-emulator-") as folder:
            ready = Path(folder) / "url"
            command = [python, "-m", "tests.emulator", "--port", str(port), "--token", token, "--quiet"]
            command += ["--until-stdin-closes", "--ready-file", str(ready), *arguments]
            self._process = subprocess.Popen(
                command,
                cwd=PROJECT_ROOT,
                env={name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
            )
            deadline = time.monotonic() + start_timeout
            while not ready.exists():
                if self._process.poll() is not None or time.monotonic() > deadline:
                    message = self.log() or "it didn't start"
                    self.stop()
                    raise EmulatorError(message)
                time.sleep(0.02)
            super().__init__(ready.read_text(encoding="utf-8").strip(), token)

    @property
    def pid(self) -> int:
        """The id of the emulator's process."""
        if self._process is None:
            raise EmulatorError("it was stopped")
        return self._process.pid

    def log(self) -> str:
        """What the emulator had to complain about itself; empty as long as all is well."""
        # By position, since the emulator writes through the same open file.
        return os.pread(self._errors.fileno(), 1 << 20, 0).decode(errors="replace").strip()

    def stop(self) -> None:
        """End the process; a second time does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()
        self._errors.close()

    def __enter__(self) -> Emulator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
