"""Pairs of wordings from the public training files, for the router to learn from beside its own.

    python benchmarks/pairs.py            writes benchmarks/.work/pairs.jsonl

ZsRE's training records, and the second half of CounterFact less every record that is evaluated. Most of
CounterFact's flattened "rephrase prompts" continue some other story about the subject; those that stand
behind an unrelated sentence are true paraphrases, and only they are taken.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from memoir import data
from memoir.data.registry import named_folder
from memoir.routing.window import sentences
from memoir.types import Record

HERE = Path(__file__).parent


def pairs(folder: Path) -> list[dict[str, str | None]]:
    """Every pair."""
    found = [_pair(record, record.of("rephrase")[0].prompt) for record in zsre(folder)]
    for record in counterfact(folder):
        rephrase = record.of("rephrase") or record.of("consequence")
        parts = sentences(rephrase[0].prompt) if rephrase else []
        if len(parts) > 1 and record.edit.subject and record.edit.subject in parts[-1]:
            found.append(_pair(record, rephrase[0].prompt))
    return found


def zsre(folder: Path) -> list[Record]:
    """Training records."""
    items = data.load("zsre", folder, split="train").items
    return [item for item in items if isinstance(item, Record) and item.of("rephrase")]


def counterfact(folder: Path) -> list[Record]:
    """The second half, less the records that are evaluated."""
    evaluated = {
        item.edit.prompt
        for item in data.load("counterfact_rome", folder).items
        if isinstance(item, Record)
    }
    items = [item for item in data.load("counterfact", folder).items if isinstance(item, Record)]
    return [item for item in items[len(items) // 2 :] if item.edit.prompt not in evaluated]


def _pair(record: Record, rephrase: str) -> dict[str, str | None]:
    edit = record.edit
    return {"prompt": edit.prompt, "rephrase": rephrase, "subject": edit.subject}


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="folder of data sets [default: $MEMOIR_DATA]")
    folder = named_folder(parser.parse_args().data_dir)
    target = HERE / ".work" / "pairs.jsonl"
    target.parent.mkdir(exist_ok=True)
    found = pairs(folder)
    target.write_text(
        "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in found), "utf-8"
    )
    print(f"{len(found)} pairs in {target}")


if __name__ == "__main__":
    main()
