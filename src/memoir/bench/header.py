"""The first row of a run file: what is run, with what, where."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from memoir.bench.journal import PROTOCOL, Row
from memoir.bench.plan import Cell
from memoir.bench.stream import Stream
from memoir.editor import Editor


def header(cell: Cell, taught: Stream, editor: Editor) -> Row:
    """The first row of a run file: everything that distinguishes this run from others."""
    plan = cell.plan
    return {
        "kind": "run",
        "protocol": PROTOCOL,
        "run": cell.name,
        "dataset": cell.data.name,
        "split": cell.data.split,
        "method": cell.method.name,
        "preset": cell.method.label or cell.method.preset,
        "model": plan.model,
        "dtype": str(editor.model.dtype).removeprefix("torch."),
        "n": plan.checkpoints[-1],
        "seed": cell.seed,
        "order": plan.order,
        "checkpoints": list(plan.checkpoints),
        "immediate": list(plan.immediate),
        "records_asked": cell.plan.asked,
        "probes_per_kind": cell.data.probes_per_kind,
        "kinds": cell.data.kinds and list(cell.data.kinds),
        "subjects": cell.data.subjects,
        "metrics": plan.metrics,
        # An existing store keeps its own settings, so what the plan asks for must stand here too.
        "asked": {"preset": cell.method.preset, "settings": cell.method.settings},
        "settings": asdict(editor.method.config),
        "data": taught.origin,
        "padding": None if taught.padding is None else dict(taught.padding.origin),
        **circumstances(),
    }


def circumstances() -> dict[str, Any]:
    """Machine, versions and commit that a result belongs to."""
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "versions": {name: version(name) for name in ("torch", "transformers", "memoir-edit")},
        "commit": _commit(),
        "date": date.today().isoformat(),
    }


def _commit() -> str:
    """Of the working tree that tracks this file; empty if none does, or without git."""
    if not _git("ls-files", Path(__file__).name):
        return ""
    return _git("describe", "--always", "--dirty")


def _git(*command: str) -> str:
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", *command], cwd=here, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return found.stdout.strip()
