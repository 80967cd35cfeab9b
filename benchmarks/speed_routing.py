"""What finding the right edit takes: time per prompt beside forward passes over it, and bytes."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch

from crowd import Crowd, Fitted, router_of
from memoir import Editor
from memoir.host import Host
from memoir.host.tokens import Encoded
from memoir.routing.base import Prompts, Router
from memoir.routing.window import Window
from memoir.store import Store
from memoir.surroundings import conversation, small_talk
from memoir.types import Progress

SETTINGS = ("bare", "turns", "document")
"""Where prompts are routed; see :data:`memoir.surroundings.SETTINGS`."""

OPENINGS = 3


class Asked(NamedTuple):
    """A prompt in its setting.

    Attributes:
        whole: all of it.
        turn: the last user's turn alone.
    """

    whole: Encoded
    turn: Encoded


def routing(
    real: Sequence[Fitted],
    filed: Sequence[int],
    prompts: int,
    passes: int,
    opened: int,
    progress: Progress,
) -> dict[str, Any]:
    """Routing by number of edits, setting and kind of prompt.

    Args:
        real: fitted edits.
        filed: rising numbers of edits.
        prompts: routed of each kind and in each setting.
        passes: how many of them are also read by the whole model.
        opened: edits of the store that is written and opened.
    """
    rows = []
    with Editor.open("smollm2", progress=progress) as editor:
        host, router = editor.host, router_of(editor)
        crowd = Crowd(router, real, max(filed), prompts)
        texts = {
            "a stored subject": crowd.questions(min(filed), prompts),
            "another of similar name": crowd.strangers(),
            "no subject": list(small_talk("evaluation"))[:prompts],
        }
        window = Window(host)
        before, resident = 0, 0.0
        for count in filed:
            bytes_before = _resident()
            for fact in crowd.facts(before, count):
                router.add(fact.id, fact.edit, fact.tensors)
                progress("filing", int(fact.id[1:]) + 1, max(filed))
            resident, before = (_resident() - bytes_before) / (count - before), count
            for setting in SETTINGS:
                for names, some in texts.items():
                    asked = [_asked(host, window, setting, text) for text in some]
                    what = f"routing, {count:,} edits, {setting}, {names}"
                    with editor.edits_in_force(False):
                        numbers = _timed(host, router, asked, passes, what, progress)
                    rows.append({"edits": count, "setting": setting, "names": names, **numbers})
        stored = _stored(host, crowd, min(opened, max(filed)), progress)
    return {
        "rows": rows,
        "resident_bytes_per_edit": round(resident),
        "resident_how": f"growth of the resident set, edits {filed[-2]:,} to {filed[-1]:,}",
        **stored,
    }


def _asked(host: Host, window: Window, setting: str, text: str) -> Asked:
    put = conversation(setting, text)
    whole = host.encode(put) if isinstance(put, str) else host.encode_chat(put)
    return Asked(whole, host.encode(window.turn(host.raw(whole.prompt)).text))


@torch.no_grad()
def _timed(
    host: Host,
    router: Router,
    asked: Sequence[Asked],
    passes: int,
    what: str,
    progress: Progress,
) -> dict[str, Any]:
    """Milliseconds per prompt, and shares of what a forward pass takes that stands beside them."""
    _match(host, router, asked[0])
    times, turn_passes, whole_passes, fired = [], [], [], 0
    every = max(1, len(asked) // passes)
    for number, each in enumerate(asked):
        progress(what, number, len(asked))
        milliseconds, hit = _match(host, router, each)
        times.append(milliseconds)
        fired += hit
        if number % every == 0:
            turn_passes.append(_pass(host, each.turn))
            whole_passes.append(_pass(host, each.whole))
    return {
        "prompts": len(asked),
        "fired": fired,
        "milliseconds": round(median(times), 3),
        "milliseconds_p95": round(quantiles(times, n=20, method="inclusive")[-1], 3),
        "pass_over_turn_milliseconds": round(median(turn_passes), 2),
        "pass_over_prompt_milliseconds": round(median(whole_passes), 2),
        "share_of_pass_over_turn": round(median(times) / median(turn_passes), 4),
        "share_of_pass_over_prompt": round(median(times) / median(whole_passes), 4),
    }


def _match(host: Host, router: Router, asked: Asked) -> tuple[float, bool]:
    """Milliseconds that routing one prompt takes, and whether it fires."""
    tokens = host.batch([asked.whole])
    given = Prompts(tokens.ids, tokens.prompt, torch.zeros(1, tokens.ids.shape[1], 0))
    start = time.perf_counter()
    (match,) = router.match(given)
    return 1000 * (time.perf_counter() - start), match.fired


def _pass(host: Host, row: Encoded) -> float:
    """Milliseconds of a forward pass of the whole model."""
    tokens = host.batch([row])
    start = time.perf_counter()
    host.logits(tokens, keep=1)
    return 1000 * (time.perf_counter() - start)


def _stored(host: Host, crowd: Crowd, count: int, progress: Progress) -> dict[str, Any]:
    """Bytes on disk of each edit, the log's share among them, and seconds to open the store."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        with Editor(host, Store.create(path)) as editor:
            empty = _on_disk(path)
            for number, fact in enumerate(crowd.facts(0, count), start=1):
                with editor.store.writing():
                    body = {**fact.like.body, **asdict(fact.edit)}
                    editor.store.commit([editor.store.row("edit", body, fact.tensors)])
                progress("writing a store", number, count)
        size = (_on_disk(path) - empty) / count
        seconds = [_seconds(lambda: Editor(host, Store(path)).close()) for _ in range(OPENINGS)]
    return {
        "disk_bytes_per_edit": round(size),
        "opened_edits": count,
        "seconds_to_open": round(median(seconds), 3),
    }


def _seconds(what: Callable[[], None]) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def _on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _resident() -> float:
    """Bytes of this process in main memory (Linux)."""
    gc.collect()
    pages = Path("/proc/self/statm").read_text("utf-8").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
