"""Cost on the default model, every ratio measured side by side in one run.

    MEMOIR_DATA=… python benchmarks/speed.py

* decoding: tokens per second without memoir, and with 100 edits in force, on prompts that fire an edit
  and on prompts that fire none, at batch 1 and 8; the variants take turns, the ratio is per turn;
* asking: seconds the harness takes for the questions of 24 ZsRE records, and for the same one by one;
* editing: seconds per edit, split into its stages, for the default preset 16 side by side and one at a
  time, and for the faithful preset.

The hundred edits are kept in benchmarks/.work, so that a second run need not make them again.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.progress import track

from memoir import Editor, data, metrics
from memoir.bench.asking import Asker
from memoir.bench.cache import UneditedCache
from memoir.bench.header import circumstances
from memoir.bench.journal import PROTOCOL
from memoir.host import Host
from memoir.host.tokens import Encoded
from memoir.methods.memoir import FAITHFUL, MemoirConfig
from memoir.metrics.base import Force, Say
from memoir.store import Store
from memoir.surroundings import conversation
from memoir.types import Edit, Receipt

TURNS = 9
NEW_TOKENS = 64
EDITS = 100
HERE = Path(__file__).parent
STORE = HERE / ".work" / "speed"


def decode(host: Host, rows: list[Encoded]) -> float:
    """Tokens per second of greedy decoding, prefill included; the end token does not stop it."""
    tokens = host.batch(rows)
    start = time.perf_counter()
    host.model.generate(
        tokens.ids,
        attention_mask=tokens.attention.long(),
        max_new_tokens=NEW_TOKENS,
        min_new_tokens=NEW_TOKENS,
        do_sample=False,
        pad_token_id=host.pad_id,
    )
    return len(rows) * NEW_TOKENS / (time.perf_counter() - start)


def decoding(editor: Editor) -> dict[str, Any]:
    """Interleaved turns: unedited model (module detached), then edits in force."""
    host = editor.host
    fires = [host.encode(entry.edit.prompt) for entry in editor.log()[:8]]
    misses = [host.encode(text) for text in UNRELATED]
    method = editor.method
    results: dict[str, Any] = {}
    for batch in (1, 8):
        turns: dict[str, list[float]] = {"unedited": [], "fires": [], "fires_none": []}
        for _ in track(range(TURNS), f"decoding, batch {batch}"):
            with method.attachment.paused():
                turns["unedited"].append(decode(host, misses[:batch]))
            turns["fires_none"].append(decode(host, misses[:batch]))
            with method.attachment.paused():
                base_fires = decode(host, fires[:batch])
            turns["fires"].append(decode(host, fires[:batch]) / base_fires)
        none = [new / old for new, old in zip(turns["fires_none"], turns["unedited"], strict=True)]
        results[f"batch_{batch}"] = {
            "tokens_per_second_unedited": round(median(turns["unedited"]), 1),
            "ratio_no_edit_fires": _spread(none),
            "ratio_edit_fires": _spread(turns["fires"]),
        }
    return results


def asking(editor: Editor, records: int) -> dict[str, Any]:
    """The harness's way of asking against one question at a time, on the same questions."""
    metrics_ = [metrics.make("teacher_forcing"), metrics.make("free_generation", {"tokens": 16})]
    items = data.load("zsre").items[:records]
    asks = list(dict.fromkeys(ask for item in items for m in metrics_ for ask in m.asks(item)))
    with tempfile.TemporaryDirectory() as folder:
        cache = UneditedCache(Path(folder) / "unedited.sqlite", editor.host.identity())
        start = time.perf_counter()
        Asker(editor, cache).ask(asks)
        together = time.perf_counter() - start
        cache.close()
    start = time.perf_counter()
    for ask in track(asks, "asking one by one"):
        if isinstance(ask, Say):
            put = conversation(ask.setting, ask.prompt)
            editor.ask(put, max_new_tokens=ask.tokens, edits=ask.edits)
        elif isinstance(ask, Force):
            editor.score_many([(ask.prompt, ask.target)], edits=ask.edits)
    alone = time.perf_counter() - start
    return {
        "records": records,
        "questions": len(asks),
        "seconds": round(together, 2),
        "seconds_one_by_one": round(alone, 2),
        "ratio": round(together / alone, 3),
    }


def editing(records: int) -> dict[str, Any]:
    """Seconds per edit by stage, on the first ZsRE records."""
    edits = zsre_edits()
    variants = {
        "default, 16 side by side": (MemoirConfig(), records),
        "default, one at a time": (replace(MemoirConfig(), batch_size=1), records),
        "faithful, one at a time": (FAITHFUL, max(4, records // 4)),
    }
    results = {}
    with Editor.open("smollm2") as prepared:
        threshold = prepared.method.config.threshold
        for name, (config, count) in variants.items():
            with tempfile.TemporaryDirectory() as folder:
                store = Store.create(Path(folder) / "store")
                known = replace(config, threshold=threshold)
                editor = Editor(prepared.host, store, config=known)
                start = time.perf_counter()
                done = [r for r in editor.edit_many(edits[:count]) if isinstance(r, Receipt)]
                seconds = (time.perf_counter() - start) / count
                editor.close()
            stages = {
                stage: round(sum(receipt.seconds[stage] for receipt in done) / len(done), 4)
                for stage in ("read", "fit", "write")
            }
            results[name] = {
                "n": count,
                "seconds_per_edit": round(seconds, 3),
                "stages": stages,
                "steps": round(sum(receipt.steps for receipt in done) / len(done), 1),
                "bytes_per_edit": round(sum(receipt.bytes for receipt in done) / len(done)),
            }
    return results


def _spread(ratios: list[float]) -> dict[str, float]:
    return {
        "median": round(median(ratios), 3),
        "min": round(min(ratios), 3),
        "max": round(max(ratios), 3),
    }


UNRELATED = [
    "The weather in the mountains changes",
    "My favourite soup is made with",
    "A good night's sleep helps you",
    "Before painting a wall you should",
    "The train to the coast leaves",
    "In autumn the leaves of the trees",
    "To repair a flat tyre, first",
    "The old clock on the wall",
]


def zsre_edits() -> list[Edit]:
    return [record.edit for record in data.load("zsre").items]


def main() -> None:
    torch.manual_seed(0)
    with Editor.open("smollm2", STORE) as editor:
        editor.edit_many(zsre_edits()[len(editor.log()) : EDITS])
        fired = [answer.match.fired for answer in editor.ask_many(UNRELATED, max_new_tokens=1)]
        assert not any(fired), "the prompts that should fire nothing do"
        speeds = decoding(editor)
        asked = asking(editor, 24)
        live = len(editor)
    result = {
        "protocol": PROTOCOL,
        "method": "memoir",
        "model": "smollm2",
        "edits_in_force": live,
        **circumstances(),
        "decoding": speeds,
        "asking": asked,
        "editing": editing(32),
    }
    path = HERE / "results" / "speed.json"
    path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
