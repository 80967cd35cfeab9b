"""Invented records in ZsRE's format, and plans over them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

METRICS = """
[metrics.teacher_forcing]
[metrics.free_generation]
tokens = 8
settings = ["chat"]
setting_tokens = 8
[metrics.routing]
[metrics.perplexity]
"""


METHOD = """name = "memoir"
[method.settings]
router = "overlap"
contexts = "bare"
layer = 2
k = 18
max_steps = 40
lr = 0.5
batch_size = 1
threshold = 0.9
accept_unsaid = true
"""
TIMES = ("seconds", "tokens_per_second", "tokens_per_second_unedited", "peak_memory_mb")
"""Entries that no two runs share."""


def data_folder(folder: Path, n: int = 12) -> Path:
    """A folder of data sets with ``n`` ZsRE records; the first two share their subject."""
    records = [
        {
            "subject": f"Fort {max(i, 1)}",
            "src": f"Who built Fort {i}?",
            "alt": f"Ada {i}",
            "rephrase": f"Fort {i} was built by",
            "loc": f"nq question: how far is {i}",
            "loc_ans": "nine miles",
        }
        for i in range(n)
    ]
    (folder / "zsre").mkdir(parents=True)
    (folder / "zsre" / "zsre_mend_edit.json").write_text(json.dumps(records), "utf-8")
    return folder


def plan_file(path: Path, method: str, rest: str = "", metrics: str = METRICS) -> Path:
    """A plan over these records."""
    path.write_text(f'{rest}\n[[data]]\nname = "zsre"\n[[method]]\n{method}\n{metrics}', "utf-8")
    return path


def without_times(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as two runs of one plan share them."""
    kept = []
    for row in rows:
        scores = {k: v for k, v in row.get("scores", {}).items() if k not in TIMES}
        rest = {k: v for k, v in row.items() if k not in (*TIMES, "scores")}
        kept.append({**rest, "scores": scores})
    return kept
