"""Objections to edits of public data sets before any is fitted: which contradictions are found, and how
often somebody is warned for nothing.

    MEMOIR_DATA=… python benchmarks/conflicts.py

ZsRE: of the first 500 records some have the subject of another one, the same true answers, and another
target: they contradict it. Each such record but the first of its subject should meet an objection.
CounterFact: of the first 1,000 records none contradicts another; every objection is a false alarm.
Writes benchmarks/results/conflicts.json.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import parsed, parser, write
from memoir import data
from memoir.bench.header import circumstances
from memoir.editor import Editor
from memoir.types import Edit, Record
from memoir.versions.conflicts import Objection, objections

FAMILIES = ("contradicts", "shadows")
RECORDS = {"zsre": 500, "counterfact": 1000}


def main() -> None:
    args = parsed(parser(__doc__ or ""))
    few = 40 if args.quick else None
    with Editor.open("smollm2") as editor:
        found = {
            name: measured(editor, name, args.data_dir, few or count)
            for name, count in RECORDS.items()
        }
        write(args.out / "conflicts.json", {"model": "smollm2", **circumstances(), "sets": found})
    print(json.dumps(found, indent=2))


def measured(editor: Editor, name: str, folder: Path, count: int) -> dict[str, Any]:
    """Objections to the first records of a set, made as one change in an empty store."""
    items = data.load(name, folder).items
    edits = [each.edit for each in items if isinstance(each, Record)][:count]
    said = objections(editor, edits)
    contradicting = later_ones(edits) if name == "zsre" else []
    warned = {each.number for each in said if each.kind in FAMILIES}
    others = [number for number in range(count) if number not in contradicting]
    return {
        "records": count,
        "contradict": len(contradicting),
        "found": len(warned & set(contradicting)),
        "false_alarms": len(warned & set(others)),
        "of": len(others),
        "kinds": dict(Counter(each.kind for each in said)),
        "examples": [_shown(each) for each in said if each.number in others][:8],
    }


def later_ones(edits: Sequence[Edit]) -> list[int]:
    """Records that give a subject another target than an earlier one does."""
    seen: dict[str, set[str]] = {}
    later = []
    for number, edit in enumerate(edits):
        targets = seen.setdefault((edit.subject or "").strip().lower(), set())
        target = edit.target.strip().lower()
        if targets - {target}:
            later.append(number)
        targets.add(target)
    return later


def _shown(each: Objection) -> dict[str, str]:
    return {
        "kind": each.kind,
        "edit": f"{each.edit.prompt} → {each.edit.target}",
        "what": each.what,
    }


if __name__ == "__main__":
    main()
