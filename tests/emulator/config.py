# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be configured while the emulator runs, and the checks of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

DEFAULT_TOKEN = "emulator-token"
MAX_IDS = 100


@dataclass(frozen=True)
class Config:
    """The emulator's adjustable behaviour. Times are in seconds.

    ``rate_limit`` is in requests a second over all ``/v1`` paths; ``token_requests`` and ``static_token_requests`` are
    how many requests a token serves before it has expired.
    """

    latency: float = 0.0
    rate_limit: float | None = None
    on_refusal: str = "none"
    seed: int = 0
    open_fleet: bool = False
    open_region: str | None = None
    # The page gives "4xx/200" for a missing instance and "200/400" where no device can be assigned.
    missing_status: int = 404
    no_device_status: int = 400
    # The page states no maximum for page_size; a hundred is what its example shows and what every other call takes.
    max_page_size: int = MAX_IDS
    static_tokens: list[str] = field(default_factory=lambda: [DEFAULT_TOKEN])
    static_token_requests: int | None = None
    token_seconds: float = 86400.0
    token_requests: int | None = None
    iam_username: str = "emulator-user"
    iam_password: str = "emulator-password"
    iam_domain: str = "emulator-domain"
    iam_projects: list[str] | None = None
    access_key: str = "emulator-access-key"
    secret_key: str = "emulator-secret-key"
    security_token: str | None = None

    def changed(self, fields: dict[str, Any]) -> Config:
        """The same configuration with some fields changed; raises ValueError for a mistake in them."""
        for name, value in fields.items():
            check = _CHECKS.get(name)
            if check is None:
                raise ValueError(f"config: {name} is unknown; there are {', '.join(sorted(_CHECKS))}")
            if not check(value):
                raise ValueError(f"config: {name} cannot be {value!r}")
        return replace(self, **fields)

    def as_dict(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)


def is_integer(value: object) -> bool:
    """Whether the value is an integer; JSON's true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether the value is a number of zero or more."""
    return (is_integer(value) or isinstance(value, float)) and value >= 0  # type: ignore[operator]


def _positive(value: object) -> bool:
    return is_number(value) and value != 0


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(_text(item) for item in value)


def _optional(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


def _count(value: object) -> bool:
    return is_integer(value) and is_number(value)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "latency": is_number,
    "rate_limit": _optional(_positive),
    "on_refusal": lambda value: value in ("none", "others", "random"),
    "seed": is_integer,
    "open_fleet": lambda value: isinstance(value, bool),
    "open_region": _optional(_text),
    "missing_status": lambda value: is_integer(value) and (value == 200 or 400 <= value < 500),
    "no_device_status": lambda value: value in (200, 400) and is_integer(value),
    "max_page_size": lambda value: _count(value) and value > 0,
    "static_tokens": _texts,
    "static_token_requests": _optional(_count),
    "token_seconds": is_number,
    "token_requests": _optional(_count),
    "iam_username": _text,
    "iam_password": _text,
    "iam_domain": _text,
    "iam_projects": _optional(_texts),
    "access_key": _text,
    "secret_key": _text,
    "security_token": _optional(_text),
}
