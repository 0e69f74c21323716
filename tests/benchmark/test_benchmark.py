# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmark measures what it says, and writes it down. Nothing is timed here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.benchmark.cases import ACTS, Case, cases
from tests.benchmark.fleet import Fleet
from tests.benchmark.measuring import _verify
from tests.benchmark.running import ROOT, Measured, WrongRunError
from tests.benchmark.table import inserted

LEAST = {"first apply": 10, "nothing changed": 0, "check mode": 0, "one group changed": 1}


def test_the_smallest_one_writes_a_table_numbers_and_a_plot(tmp_path: Path) -> None:
    process = subprocess.run(
        [ROOT / "scripts" / "benchmark", "--sizes", "20", "--repeat", "1", "--without", "uri", "--output", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout
    numbers = json.loads((tmp_path / "benchmark.json").read_text(encoding="utf-8"))
    assert {(run["store"], run["act"]): run["requests"] for run in numbers["runs"]} == {
        (store, act): requests for store in ("sqlite", "postgresql") for act, requests in LEAST.items()
    }
    assert all(run["empty_seconds"] > 0 and run["seconds"] > 0 and run["module_mib"] > 20 for run in numbers["runs"])
    first = [phases for phases in numbers["phases"] if phases["act"] == "first apply"]
    assert [phases["store"] for phases in first] == ["none", "sqlite", "postgresql"]
    # Every moment belongs to a phase, and no store takes no time.
    assert all(sum(phases["seconds"].values()) <= phases["total"] for phases in first)
    assert first[0]["seconds"]["store"] < first[1]["seconds"]["store"]
    assert (tmp_path / "benchmark.png").read_bytes().startswith(b"\x89PNG")
    assert "| instances | groups from |" in process.stdout
    assert "| instances | store " in process.stdout


def test_requests_are_the_least_possible() -> None:
    fleet = Fleet(10_000)
    assert (fleet.requests(groups=10), fleet.requests(groups=1)) == (100, 10)
    assert len({i for number in range(10) for i in fleet.ids(number)}) == 10_000


@pytest.mark.parametrize(
    "wrong",
    [{"requests": 11}, {"changed": False}, {"summary": {"instances": 20, "changed": 19}}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_run_that_went_wrong_is_not_counted(wrong: dict[str, object]) -> None:
    case = Case(20, "list", "sqlite", 1)
    right = {"requests": 10, "changed": True, "summary": {"instances": 20, "changed": 20}}
    _verify(case, "first apply", Measured(1.0, right, 10, 40.0, 60.0))
    with pytest.raises(WrongRunError):
        _verify(case, "first apply", Measured(1.0, {**right, **wrong}, 10, 40.0, 60.0))


def test_all_ways_and_stores_are_among_the_cases() -> None:
    found = list(cases((100, 1_000, 10_000, 100_000), 3))
    assert {case.source for case in found} == {"list", "file", "role, list", "role, hosts"}
    assert {case.size for case in found if case.source == "role, hosts"} == {1_000, 10_000}
    assert {(case.size, case.store) for case in found if case.source == "list"} == {
        (size, store) for size in (100, 1_000, 10_000, 100_000) for store in ("sqlite", "postgresql")
    }
    assert set(ACTS) == set(LEAST)


def test_tables_are_put_between_their_markers() -> None:
    document = "a\n<!-- table: begin -->\nold\n<!-- table: end -->\nb\n"
    assert inserted(document, {"table": "new"}) == "a\n<!-- table: begin -->\n\nnew\n\n<!-- table: end -->\nb\n"
    with pytest.raises(ValueError, match="no place for 'other'"):
        inserted(document, {"other": "new"})
