"""docs/benchmarks.md says what the result files say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_page_matches_the_result_files() -> None:
    script = Path(__file__).parent.parent / "benchmarks" / "tables.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
