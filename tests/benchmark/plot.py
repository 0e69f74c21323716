# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.benchmark.fleet import BATCH
from tests.benchmark.results import Results

_OURS = (
    ("list", "sqlite", "-o"),
    ("list", "postgresql", "--o"),
    ("file", "sqlite", "-s"),
    ("role, hosts", "sqlite", "-^"),
)


def draw(results: Results, path: Path) -> None:
    """Four plots over the number of instances: apply, nothing changed, phases, memory."""
    # Only here: nothing else needs it, nor a screen.
    import matplotlib as mpl  # type: ignore[import-not-found,unused-ignore]

    mpl.use("Agg")
    from matplotlib import pyplot  # type: ignore[import-not-found,unused-ignore]

    figure, axes = pyplot.subplots(2, 2, figsize=(13, 10), layout="constrained")
    _runs(axes[0][0], results, "first apply")
    for batch, label in ((1, "uri, each instance"), (BATCH, "uri, batches of 100")):
        rows = sorted((row.size, row.seconds) for row in results.uri if row.batch == batch)
        if rows:
            axes[0][0].plot(*zip(*rows, strict=True), ":", color="0.5" if batch == 1 else "0.3", label=label)
    _runs(axes[0][1], results, "nothing changed")
    _phases(axes[1][0], results)
    _memory(axes[1][1], results)
    for place in axes.flat:
        place.set_xscale("log")
        place.set_xlabel("instances")
        place.grid(visible=True, which="major", alpha=0.3)
        if place.get_legend_handles_labels()[0]:
            place.legend(fontsize=8)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _runs(place: Any, results: Results, act: str) -> None:
    place.set_title(f"{act.capitalize()}: seconds of ansible-playbook")
    for source, store, style in _OURS:
        rows = sorted((r.size, r.seconds) for r in results.rows if (r.source, r.store, r.act) == (source, store, act))
        if rows:
            place.plot(*zip(*rows, strict=True), style, label=f"{source}, {store}")
    floor = sorted(
        (r.size, r.empty_seconds + r.ideal_seconds)
        for r in results.rows
        if (r.source, r.store, r.act) == ("list", "sqlite", act)
    )
    if floor:
        label = "empty module, list" + (" + ideal" if act == "first apply" else "")
        place.plot(*zip(*floor, strict=True), "k-", linewidth=1, label=label)
    place.set_yscale("log")
    place.set_ylabel("seconds")


def _phases(place: Any, results: Results) -> None:
    place.set_title("First apply without Ansible, SQLite: seconds by phase")
    rows = sorted((r for r in results.phases if (r.store, r.act) == ("sqlite", "first apply")), key=lambda r: r.size)
    for phase in rows[0].seconds if rows else ():
        place.plot([row.size for row in rows], [row.seconds[phase] for row in rows], "-o", label=phase)
    if rows:
        ends = [rows[0].size, rows[-1].size]
        place.plot(ends, [1e-5 * size for size in ends], "k:", label="linear")
    place.set_yscale("log")
    place.set_ylabel("seconds")


def _memory(place: Any, results: Results) -> None:
    place.set_title("Most memory of the module's process")
    for source, store, style in _OURS:
        mine = [r for r in results.rows if (r.source, r.store) == (source, store)]
        sizes = sorted({row.size for row in mine})
        peaks = [max(row.module_mib for row in mine if row.size == size) for size in sizes]
        if sizes:
            place.plot(sizes, peaks, style, label=f"{source}, {store}")
    place.axhline(300, color="k", linewidth=1, linestyle=":", label="300 MiB")
    place.set_ylabel("MiB")
    place.set_ylim(bottom=0)
