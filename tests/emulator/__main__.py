# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line: ``python -m tests.emulator``."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import os
import signal
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

from aiohttp import web

from .app import make_app
from .config import DEFAULT_TOKEN, Config
from .control import Control, read_instances

DEFAULT_PORT = 8480


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options; exits with a message for a mistake in them."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulator", description="A KooPhone API on loopback.")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default: %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that every call takes")
    parser.add_argument("--rate-limit", type=float, help="requests a second that are let through")
    parser.add_argument("--open-fleet", action="store_true", help="every instance id exists")
    parser.add_argument(
        "--instances", type=Path, action="append", default=[], help="JSON, or text with one id a line; repeatable"
    )
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="the token that is always good (default: %(default)s)")
    parser.add_argument("--tls-cert", type=Path, help="certificate chain in PEM; makes it https")
    parser.add_argument("--tls-key", type=Path, help="private key of the certificate in PEM")
    parser.add_argument("--ready-file", type=Path, help="file that gets the URL once it listens")
    parser.add_argument("--quiet", action="store_true", help="print nothing")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process at the other end")
    options = parser.parse_args(arguments)
    if not is_loopback(options.host):
        parser.error(f"--host {options.host}: not a loopback address; this server checks no one's identity")
    if options.tls_key and not options.tls_cert:
        parser.error("--tls-key needs --tls-cert")
    return options


def is_loopback(host: str) -> bool:
    """Whether the host is a loopback address or the name of one."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_instances_file(path: Path) -> list[tuple[list[str], dict[str, Any]]]:
    """Instances from a file: JSON as the control API takes it, or text with one id a line and ``#`` comments."""
    text = path.read_text(encoding="utf-8")
    if text.lstrip()[:1] in ("[", "{"):
        return read_instances(json.loads(text))
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [([line for line in lines if line], {})]


async def run(options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    config = Config().changed(
        {
            "latency": options.latency,
            "rate_limit": options.rate_limit,
            "open_fleet": options.open_fleet,
            "static_tokens": [options.token],
        }
    )
    fleets = [fleet for path in options.instances for fleet in read_instances_file(path)]
    context = None
    if options.tls_cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.tls_cert, options.tls_key)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.until_stdin_closes:
        threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()
    runner = web.AppRunner(make_app(Control(config, fleets)), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port, ssl_context=context, backlog=1024).start()
        url = _url(runner, "https" if context else "http")
        if not options.quiet:
            print(f"KooPhone emulator listens on {url}", flush=True)
        if options.ready_file:
            # Renamed into place, so that whoever waits for the file never reads half of it.
            draft = options.ready_file.with_name(options.ready_file.name + ".draft")
            draft.write_text(url + "\n", encoding="utf-8")
            draft.replace(options.ready_file)
        await stop.wait()
    finally:
        await runner.cleanup()


def _url(runner: web.AppRunner, scheme: str) -> str:
    host, port = runner.addresses[0][:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stop.set)


def main(arguments: list[str] | None = None) -> int:
    """Run the emulator; returns the exit status."""
    options = parse_arguments(arguments)
    try:
        asyncio.run(run(options))
    except (OSError, ValueError) as error:
        print(f"KooPhone emulator: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
