# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that the unit tests are made of: settings, instance groups, memories, and strategies for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import strategies as st

from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import InstanceGroup
from ansible_collections.koophone.fleet.plugins.module_utils._memory import LastApplied, Memory
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings, Spec

# Spelled out here once more, as the API's reference has them: a slip in the code must not hide in the tests.
NETWORKS = ("MOBILE_NETWORK", "WIFI", "WIRED")
CODECS = ("H264", "H265")
DEFINITIONS = ("540P", "720P", "1080P")
KEYS = tuple((network, codec, definition) for network in NETWORKS for codec in CODECS for definition in DEFINITIONS)

Key = tuple[str, str, str]


def nested(
    code_rate: Any = 6000, fps: Any = 60, changes: Mapping[Key, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Settings in the nested form: all 18 specs alike, but for the changes."""
    result: dict[str, Any] = {}
    for network, codec, definition in KEYS:
        spec = {"code_rate": code_rate, "fps": fps, **(changes or {}).get((network, codec, definition), {})}
        result.setdefault(network, {}).setdefault(codec, {})[definition] = spec
    return result


def api_form(code_rate: Any = 6000, fps: Any = 60) -> list[dict[str, Any]]:
    """Settings in the API's own shape, all 18 specs alike."""
    return [
        {
            "network_type": network,
            "encoding_type": codec,
            "video_spec_groups": [{f"definition_{d}": {"code_rate": code_rate, "fps": fps} for d in DEFINITIONS}],
        }
        for network in NETWORKS
        for codec in CODECS
    ]


def settings(code_rate: int = 6000, fps: int = 60, changes: Mapping[Key, tuple[int, int]] | None = None) -> Settings:
    """Settings, all 18 specs alike, but for the changes."""
    return Settings(tuple(Spec(*(changes or {}).get(key, (code_rate, fps))) for key in KEYS))


def group(name: str, ids: Iterable[str], region: str | None = None, value: Settings | None = None) -> InstanceGroup:
    """An instance group."""
    return InstanceGroup(name, tuple(ids), region, value or settings())


def memory(known: Mapping[str, Settings | None], applied_at: float = 1000.0, now: float = 2000.0) -> Memory:
    """What a store remembers: instance id → last applied, None for an instance that it knows as unknown."""
    records = {
        i: LastApplied(None) if value is None else LastApplied(value.digest, applied_at) for i, value in known.items()
    }
    return Memory(records, {value.digest: value for value in known.values() if value is not None}, now)


specs = st.tuples(st.integers(1, 100).map(lambda number: number * 100), st.sampled_from([30, 60]))
any_settings = st.tuples(*[specs] * 18).map(lambda pairs: Settings(tuple(Spec(*pair) for pair in pairs)))
# A few that differ in little, so that equal ones turn up as well.
few_settings = st.sampled_from(
    [settings(), settings(4000), settings(6000, 30), settings(changes={KEYS[7]: (100, 30)}), settings(10000)]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)


def places(mistakes: Iterable[str]) -> list[str]:
    """The places that mistakes name, sorted."""
    return sorted(mistake.partition(": ")[0] for mistake in mistakes)
