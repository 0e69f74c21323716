# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Addresses of HTTP services, as options give them."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit


def split_address(address: str) -> SplitResult | None:
    """The parts of a service's address, or None where it is no HTTP address at all."""
    address = address.strip()
    try:
        parts = urlsplit(address)
        # Before 3.11.4, Python takes anything in brackets for an IPv6 address: https://github.com/python/cpython/issues/103848
        if "[" in parts.netloc:
            ipaddress.IPv6Address(parts.hostname or "")
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if good and not re.search(r"\s", address) else None
