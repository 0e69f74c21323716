# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers as tables in Markdown, which can be read on a terminal as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.benchmark.fleet import BATCH
from tests.benchmark.growth import NO_STORE
from tests.benchmark.results import Results, figures

_BEGIN, _END = "<!-- {name}: begin -->\n", "<!-- {name}: end -->"


def tables(results: Results) -> dict[str, str]:
    """Each table by its name."""
    found = {
        "figures": _figures(results),
        "table": _runs(results),
        "uri": _uri(results),
        "phases": _phases(results),
        "machine": _machine(results),
    }
    return {name: text for name, text in found.items() if text}


def inserted(document: str, found: dict[str, str]) -> str:
    """The document with each table between its markers."""
    for name, text in found.items():
        begin, end = _BEGIN.format(name=name), _END.format(name=name)
        before, _begin, rest = document.partition(begin)
        _old, marker, after = rest.partition(end)
        if not marker:
            raise ValueError(f"the document has no place for {name!r}: {begin.strip()} and {end}")
        document = f"{before}{begin}\n{text}\n\n{end}{after}"
    return document


def _figures(results: Results) -> str:
    lines = [
        (f.what, f"{f.measured:.2f} {f.unit}", f"{f.most:g} {f.unit}", "yes" if f.reached else "**no**")
        for f in figures(results)
    ]
    return _table(("figure", "measured", "at most", "reached"), lines) if lines else ""


def _runs(results: Results) -> str:
    if not results.rows:
        return ""
    header = ("instances", "groups from", "store", "run", "requests", "seconds", "empty", "ideal", "ratio", "MiB")
    return _table(
        header,
        [
            (
                f"{row.size:,}",
                row.source,
                row.store,
                row.act,
                f"{row.requests:,}",
                f"{row.seconds:.2f}",
                f"{row.empty_seconds:.2f}",
                f"{row.ideal_seconds:.2f}",
                f"{row.ratio:.2f}",
                f"{row.module_mib:.0f}",
            )
            for row in results.rows
        ],
    )


def _uri(results: Results) -> str:
    def lines() -> Iterator[tuple[str, ...]]:
        for size in dict.fromkeys(row.size for row in results.uri):
            of_size = {row.batch: row for row in results.uri if row.size == size}
            for act in ("first apply", "nothing changed"):
                ours = results.row(size, "list", "sqlite", act)
                if ours is None or BATCH not in of_size:
                    continue
                cells = [f"{size:,}", act, f"{ours.seconds:.1f}"]
                for batch in (BATCH, 1):
                    uri = of_size[batch]
                    # `uri` knows no last applied: it sends the same again.
                    label = "" if uri.measured_on == size else " (extrapolated)"
                    cells += [f"{uri.seconds:,.1f}{label}", f"{uri.seconds / ours.seconds:,.0f} ×"]
                yield tuple(cells)

    found = list(lines())
    header = ("instances", "run", "module", "`uri`, batches of 100", "ratio", "`uri`, each instance", "ratio")
    return _table(header, found) if found else ""


def _phases(results: Results) -> str:
    if not results.phases:
        return ""
    names = list(results.phases[0].seconds)
    lines = [
        (
            f"{row.size:,}",
            "without" if row.store == NO_STORE else row.store,
            row.act,
            *(f"{row.seconds[name]:.3f}" for name in names),
            f"{row.total:.2f}",
            f"{1e6 * row.total / row.size:.0f}",
        )
        for row in results.phases
    ]
    return _table(("instances", "store", "run", *names, "in all", "µs an instance"), lines)


def _machine(results: Results) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in results.machine.items())


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Columns are as wide as their widest cell; numbers are to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *lines, strict=True)]
    right = [all(cell[:1].isdigit() or cell[:1] == "-" for cell in column) for column in zip(*lines, strict=True)]
    rules = [
        ("-" * (width - 1) + ":") if is_right else "-" * width for width, is_right in zip(widths, right, strict=True)
    ]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(cells, widths, right, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    return "\n".join([line(header), line(rules), *map(line, lines)])
