"""Seconds per edit: memoir's presets, and the faithful one's settings in a plain loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from common import spread
from memoir import Editor
from memoir.core.fingerprint import TopHash
from memoir.fold import settings_in_force
from memoir.host import Host
from memoir.host.loading import load_host
from memoir.methods.memoir import FAITHFUL, MemoirConfig
from memoir.metrics.text import begins_with
from memoir.store import Store
from memoir.types import Edit, Progress, Receipt
from plain_loop import PlainLoop

SIDE_BY_SIDE = (32, 16, 1)
"""Edits of the default preset that are fitted together."""

PLAIN = "plain loop"

ANSWER_TOKENS = 24


class Made(NamedTuple):
    """One edit that was made; the plain loop knows its steps only."""

    steps: int
    bytes: int | None = None
    seconds: Mapping[str, float] = {}


@dataclass
class Variant:
    """One way to make edits.

    Attributes:
        teach: makes some.
        edits: all that it shall make.
        seconds: per edit, by turn.
        made: what came of them, but for refused ones.
    """

    teach: Callable[[Sequence[Edit]], list[Made]]
    edits: Sequence[Edit]
    seconds: list[float] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)


def editing(
    edits: Sequence[Edit],
    counts: Mapping[str, int],
    faithful_steps: int,
    turns: int,
    progress: Progress,
) -> dict[str, Any]:
    """Every variant makes its edits in so many turns; ratios are those within a turn.

    Args:
        edits: to make, the first ones; the last is only made to warm up.
        counts: how many of them ``default``, ``faithful`` and the ``plain loop`` make.
        faithful_steps: steps at most with the faithful settings.
        turns: divides the counts.
    """
    presets = {f"default {size}": replace(MemoirConfig(), batch_size=size) for size in SIDE_BY_SIDE}
    presets["faithful"] = replace(FAITHFUL, max_steps=faithful_steps)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        stores, hosts = {name: Path(folder) / name for name in presets}, _hosts(presets)
        variants = {}
        for name, config in presets.items():
            store = Store.create(stores[name])
            editor = Editor(hosts[name], store, config=config, progress=progress)
            stack.enter_context(editor)
            editor.method.fit([edits[-1]])
            # The plain loop must not see it; what memoir fits, it fits unattached anyway.
            stack.enter_context(editor.method.attachment.paused())
            count = counts["faithful" if name == "faithful" else "default"]
            variants[name] = Variant(_by(editor), edits[:count])
        plain = PlainLoop(hosts["faithful"], presets["faithful"], _hash_in(stores["faithful"]))
        variants[PLAIN] = Variant(
            lambda some: [Made(plain.teach(edit)) for edit in some], edits[: counts[PLAIN]]
        )
        for turn in range(turns):
            _take_turn(variants, turn, turns, progress)
        stack.close()
        right = {
            name: _reliability(_ask(hosts[name], stores[name], variants[name].edits))
            for name in presets
        }
        said = [(plain.says(edit.prompt, ANSWER_TOKENS), edit) for edit in variants[PLAIN].edits]
        right[PLAIN] = _reliability(said)
    slow = variants[PLAIN].seconds
    return {
        "turns": turns,
        "variants": {
            name: {**_numbers(variant, slow), "reliability": right[name]}
            for name, variant in variants.items()
        },
    }


def _hosts(presets: Mapping[str, MemoirConfig]) -> dict[str, Host]:
    """One model, with the site of each preset."""
    loaded = load_host("smollm2")
    return {
        name: Host(loaded.model, loaded.tokenizer, config.depth, loaded.name)
        for name, config in presets.items()
    }


def _hash_in(folder: Path) -> TopHash:
    """What a store's method masks with."""
    store = Store(folder)
    bound = settings_in_force(store)
    assert bound is not None
    tensors = store.tensors(bound)
    store.close()
    return TopHash(tensors["background"], tensors["permutation"], bound.body["config"]["k"])


def _by(editor: Editor) -> Callable[[Sequence[Edit]], list[Made]]:
    def teach(some: Sequence[Edit]) -> list[Made]:
        results = editor.edit_many(some)
        made = [result for result in results if isinstance(result, Receipt)]
        return [Made(receipt.steps, receipt.bytes, receipt.seconds) for receipt in made]

    return teach


def _take_turn(variants: Mapping[str, Variant], turn: int, turns: int, progress: Progress) -> None:
    # Every other turn backwards, so that no variant always comes after the same one.
    for number, (name, variant) in enumerate(list(variants.items())[:: -1 if turn % 2 else 1]):
        progress(f"editing, turn {turn + 1} of {turns}: {name}", number, len(variants))
        size = len(variant.edits) // turns
        some = variant.edits[turn * size : (turn + 1) * size]
        start = time.perf_counter()
        variant.made += variant.teach(some)
        variant.seconds.append((time.perf_counter() - start) / len(some))


def _ask(host: Host, store: Path, edits: Sequence[Edit]) -> list[tuple[str, Edit]]:
    """What is said after each prompt, all edits of the store in force."""
    with Editor(host, Store(store)) as editor:
        answers = editor.ask_many([edit.prompt for edit in edits], max_new_tokens=ANSWER_TOKENS)
    return [(answer.text, edit) for answer, edit in zip(answers, edits, strict=True)]


def _reliability(said: Sequence[tuple[str, Edit]]) -> float:
    """Share of the texts that begin with the target."""
    return round(_mean(begins_with(text, edit.target) for text, edit in said), 4)


def _numbers(variant: Variant, slow: Sequence[float]) -> dict[str, Any]:
    made = variant.made
    sizes = [each.bytes for each in made if each.bytes is not None]
    return {
        "edits": len(variant.edits),
        "refused": len(variant.edits) - len(made),
        "seconds_per_edit": round(_mean(variant.seconds), 3),
        "times_as_fast": spread([a / b for a, b in zip(slow, variant.seconds, strict=True)]),
        "stages": {
            stage: round(_mean(each.seconds[stage] for each in made), 4)
            for stage in made[0].seconds
        },
        "steps": round(_mean(each.steps for each in made), 1),
        "bytes_per_edit": round(_mean(sizes)) if sizes else None,
    }


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
