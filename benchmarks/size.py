"""Quality against bytes per edit on the default model: how many columns an edit may write, the contexts
it is fitted in, and the tokens it acts on.

    MEMOIR_DATA=… python benchmarks/size.py

The records are some that no benchmark evaluates (see pairs.py), of ZsRE and of CounterFact. Each
setting has a store of its own; when all its edits are made, every record is asked. A setting that the
result file has is not measured again, so a run that was stopped goes on; remove the file to begin anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from common import parsed, parser, read, write
from memoir import Editor
from memoir.bench.asking import Asker
from memoir.bench.cache import UneditedCache
from memoir.bench.header import circumstances
from memoir.bench.summary import aggregate
from memoir.cli.output import progress_bars
from memoir.metrics.free_generation import FreeGeneration
from memoir.metrics.routing import Routing
from memoir.types import Probe, Progress, Receipt, Record
from pairs import counterfact, pairs, zsre


@dataclass(frozen=True)
class Setting:
    """What is varied; everything else is the default preset's."""

    k: int
    contexts: str = "conversations"
    acts_on: str = "answer"

    @property
    def name(self) -> str:
        """As the result file and the picture call it."""
        return f"k {self.k}, {self.contexts}, acts on {self.acts_on}"


SETTINGS = (
    *(Setting(k) for k in (110, 219, 439, 768, 1536)),
    Setting(439, "bare"),
    Setting(439, "bare", "all"),
)
EACH = 40
"""Records of each data set."""

QUICK_SETTINGS, QUICK_EACH = (Setting(439), Setting(439, "bare")), 2

ASKED = (FreeGeneration(settings=("system",)), Routing())


def records(folder: Path, each: int) -> list[Record]:
    """Records with one true paraphrase, as many of either data set."""
    rephrased = {str(pair["prompt"]): str(pair["rephrase"]) for pair in pairs(folder)}
    return [
        Record(edit, (Probe("rephrase", rephrased[edit.prompt], edit.target),))
        for found in (zsre(folder), counterfact(folder))
        for edit in [record.edit for record in found if record.edit.prompt in rephrased][:each]
    ]


def measured(setting: Setting, some: Sequence[Record], progress: Progress) -> dict[str, Any]:
    """Cost and quality of one setting."""
    varied = {"k": setting.k, "contexts": setting.contexts, "acts_on": setting.acts_on}
    torch.manual_seed(0)
    with Editor.open("smollm2", settings=varied, progress=progress) as editor:
        done = iter(range(1, len(some) + 1))
        start = time.perf_counter()
        made = editor.edit_many(
            [record.edit for record in some],
            lambda _: progress(f"editing, {setting.name}", next(done), len(some)),
        )
        seconds = time.perf_counter() - start
        ids = [each.id if isinstance(each, Receipt) else None for each in made]
        scores = _scores(editor, some, ids)
    receipts = [each for each in made if isinstance(each, Receipt)]
    return {
        **varied,
        "edits": len(some),
        "refused": len(some) - len(receipts),
        "bytes_per_edit": round(_mean(receipt.bytes for receipt in receipts)),
        "seconds_per_edit": round(seconds / len(some), 3),
        "steps": round(_mean(receipt.steps for receipt in receipts), 1),
        "reliability": _share(scores, "reliability_fg"),
        "reliability_system": _share(scores, "reliability_system"),
        "paraphrase": _share(scores, "generalization_fg"),
        "paraphrase_if_routed": _share(
            [score for score in scores if score["right_edit_rephrase"]], "generalization_fg"
        ),
    }


def _scores(
    editor: Editor, some: Sequence[Record], ids: Sequence[str | None]
) -> list[dict[str, float]]:
    """By record: what the harness's metrics make of the answers, all edits in force."""
    with (
        TemporaryDirectory() as folder,
        closing(UneditedCache(Path(folder) / "unedited", editor.host.identity())) as cache,
    ):
        said = Asker(editor, cache).ask(
            ask for record in some for metric in ASKED for ask in metric.asks(record)
        )
    return [
        {name: value for m in ASKED for name, value in m.score(record, said, id).items()}
        for record, id in zip(some, ids, strict=True)
    ]


def _share(scores: Sequence[dict[str, float]], name: str) -> dict[str, Any] | None:
    """Mean with n and interval; None if there is nothing to average."""
    return aggregate([score[name] for score in scores]) if scores else None


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def main() -> None:
    args = parsed(parser(__doc__))
    settings, each = (QUICK_SETTINGS, QUICK_EACH) if args.quick else (SETTINGS, EACH)
    path = args.out / "size.json"
    rows = read(path).get("settings", {})
    some = records(args.data_dir, each)
    with progress_bars() as progress:
        for number, setting in enumerate(settings):
            progress("settings", number, len(settings))
            key = f"{setting.name}, {len(some)} records"
            if key not in rows:
                rows[key] = {**circumstances(), **measured(setting, some, progress)}
            write(path, {"method": "memoir", "model": "smollm2", "settings": rows})
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
