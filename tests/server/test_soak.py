"""A real server under mixed load for a minute: see benchmarks/soak.py, which does it for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak import soak
from soak_clients import Wants

pytestmark = pytest.mark.slow


def test_a_server_under_load_loses_no_edit_and_keeps_no_memory(tmp_path: Path) -> None:
    found = soak(tmp_path, 60.0, seed=1, wants=Wants(teaching=2))
    assert found.troubles == []
    assert found.in_force + found.taken_back > 0
    assert found.answers["ask"]["200"] > 10
