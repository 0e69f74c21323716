# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few of the random sequences of `make races`, and the proof that they would find a lie."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.handle import PROJECT_ROOT
from tests.races.sequence import Sequence, draw


def _drive(tmp_path: Path, *arguments: str) -> tuple[int, str, dict[str, Any]]:
    """Sequences in processes of their own; returns the status, what was said, and the figures."""
    report = tmp_path / "report.json"
    # Little of what they do is work, and most of it is waiting.
    command = [sys.executable, "-m", "tests.races", "--jobs", "5", "--report", str(report), *arguments]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert report.exists(), done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr, json.loads(report.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("store", "seed", "sequences"),
    [
        ("sqlite", 0, 5),
        ("postgresql", 0, 5),
        pytest.param("sqlite", 1000, 20, marks=pytest.mark.slow),
        pytest.param("postgresql", 1000, 20, marks=pytest.mark.slow),
    ],
)
def test_whatever_is_killed_paused_or_raced_the_store_says_what_is_so(
    tmp_path: Path, store: str, seed: int, sequences: int
) -> None:
    status, said, figures = _drive(tmp_path, "--store", store, "--sequences", str(sequences), "--seed", str(seed))
    assert status == 0, said
    assert figures["sequences"] == sequences
    assert figures.get("void", 0) <= 2, said
    # They are about something.
    assert figures["killed"] > sequences / 5
    assert figures["pauses"] > sequences / 5
    assert figures["requests"] > sequences * 4


def test_without_the_mark_before_the_request_the_store_is_caught_lying(tmp_path: Path) -> None:
    status, said, figures = _drive(
        tmp_path, "--store", "sqlite", "--sequences", "150", "--seed", "0", "--break", "write-ahead", "--as-it-is"
    )
    assert status == 1, said
    assert figures["lies"] >= 1
    assert "the store says" in said


def test_a_seed_always_gives_the_same_sequence_and_it_survives_being_printed() -> None:
    for seed in range(50):
        drawn = draw(seed)
        assert draw(seed) == drawn
        assert Sequence.from_data(json.loads(json.dumps(drawn.as_data()))).as_data() == drawn.as_data()
